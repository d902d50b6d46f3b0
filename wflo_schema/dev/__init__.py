"""The development database: follows the files at each save, one for each branch, its rows kept."""
