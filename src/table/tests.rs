//! What the table promises, told through its own door. `support` has the place, the rows and the query engine.

mod commit;
mod lookup;
mod s3;
mod scan;
mod support;
mod upkeep;
