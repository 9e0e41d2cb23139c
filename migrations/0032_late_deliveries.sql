-- Bodies about access bear no time: of a delivery that was made again, detector is told when its first attempt was.
ALTER TABLE undelivered
  -- When that was left for the log; null while it was not, or concerns no such event.
  ADD COLUMN late_told_at timestamptz;
