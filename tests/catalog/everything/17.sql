-- What came with PostgreSQL 17.
CREATE EVENT TRIGGER login_t ON login EXECUTE FUNCTION app.etf();
