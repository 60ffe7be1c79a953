//! Opens the object store behind a URL or a directory, and makes local writes durable.
