//! What the house server keeps: one [`Store`] trait, SQLite and PostgreSQL behind it.
