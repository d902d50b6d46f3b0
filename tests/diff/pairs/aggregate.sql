-- aggregate

CREATE AGGREGATE total(int) (SFUNC = int4pl, STYPE = int);

-- after

CREATE AGGREGATE total(int) (SFUNC = int4pl, STYPE = int, INITCOND = '0');
