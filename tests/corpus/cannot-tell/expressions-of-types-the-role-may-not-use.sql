-- verdict: cannot tell
-- codes: cannot-see
-- role: corpus_nobody
-- contract: [contract]
-- contract: schema = "app"
-- contract: tables = ["p"]
-- contract: [[check]]
-- contract: name = "k"
-- contract: on = "p"
-- contract: expression = "a <> 'bad'"
CREATE ROLE corpus_nobody LOGIN;
CREATE SCHEMA app;
CREATE TYPE app.mood AS ENUM ('fine', 'bad');
CREATE TABLE app.p (a app.mood CONSTRAINT k CHECK (a <> 'bad'));
