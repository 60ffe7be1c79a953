//! What people start.
