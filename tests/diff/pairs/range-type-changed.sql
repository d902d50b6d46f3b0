-- range type changed

CREATE TYPE span AS RANGE (SUBTYPE = float8);

-- after

CREATE TYPE span AS RANGE (SUBTYPE = int);
