-- Segments come and go all the time, and runs are dropped whole: what they leave behind is to be used again soon.
ALTER TABLE state_segments SET (autovacuum_vacuum_scale_factor = 0.05, toast.autovacuum_vacuum_scale_factor = 0.05);
ALTER TABLE state_stretches SET (autovacuum_vacuum_scale_factor = 0.05, toast.autovacuum_vacuum_scale_factor = 0.05);
