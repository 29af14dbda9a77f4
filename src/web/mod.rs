//! Routes and page of the house server.
