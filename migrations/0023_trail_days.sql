-- The recorder may add to the trail and nothing else, and must nevertheless make a table a day: that it does by the right
-- of whoever owns the trail. The path is fixed, so that the caller cannot put functions of its own in the way.
ALTER FUNCTION make_trail_day(date) SECURITY DEFINER SET search_path = public, pg_temp;
REVOKE ALL ON FUNCTION make_trail_day(date) FROM PUBLIC;
