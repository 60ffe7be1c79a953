//! The DataFusion session of one query: the tables handed in, our functions, and nothing that reaches further.
//!
//! There are no file formats, no table factories and no object stores but those registered by the engine's owner, so
//! even a statement that slipped through the gate would find nothing to read or write.

use std::collections::HashMap;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use datafusion::catalog::{
    CatalogProvider, MemoryCatalogProvider, MemoryCatalogProviderList, MemorySchemaProvider,
    SchemaProvider, TableProvider,
};
use datafusion::common::DataFusionError;
use datafusion::common::config::Dialect;
use datafusion::error::Result as DataFusionResult;
use datafusion::execution::SessionState;
use datafusion::execution::disk_manager::{DiskManagerBuilder, DiskManagerMode};
use datafusion::execution::memory_pool::{FairSpillPool, MemoryPool};
use datafusion::execution::object_store::ObjectStoreRegistry;
use datafusion::execution::runtime_env::{RuntimeEnv, RuntimeEnvBuilder};
use datafusion::execution::session_state::SessionStateBuilder;
use datafusion::logical_expr::registry::FunctionRegistry;
use datafusion::object_store::ObjectStore;
use datafusion::prelude::SessionConfig;
use parking_lot::RwLock;
use url::Url;

use super::config::Config;
use super::error::Result;
use super::functions;
use super::pool::QueryPool;
use super::watch::Running;
use crate::base::Timestamp;

/// The one catalog.
const CATALOG: &str = "outspan";
/// Its one schema of tables.
const SCHEMA: &str = "public";

/// What all sessions share.
#[derive(Debug)]
pub(super) struct Sessions {
    template: SessionState,
    memory: Arc<dyn MemoryPool>,
}

impl Sessions {
    pub(super) fn new(config: &Config) -> Result<Self> {
        let memory: Arc<dyn MemoryPool> = Arc::new(FairSpillPool::new(config.memory_bytes));
        let runtime = runtime(config, Arc::clone(&memory))?;
        let mut template = SessionStateBuilder::new()
            .with_config(session_config(config))
            .with_runtime_env(Arc::new(runtime))
            .with_expr_planners(functions::planners())
            .with_scalar_functions(functions::scalar())
            .with_aggregate_functions(functions::aggregate())
            .with_window_functions(functions::window())
            .with_table_function_list(functions::table())
            .with_optimizer_rule(Arc::new(functions::Rewrap))
            .build();
        template.register_function_rewrite(Arc::new(functions::Rewrap))?;
        Ok(Self { template, memory })
    }

    /// Makes scans find the objects whose URL begins with `url`.
    pub(super) fn register_store(&self, url: &Url, store: Arc<dyn ObjectStore>) {
        self.template
            .runtime_env()
            .register_object_store(url, store);
    }

    /// Returns a session over `tables` for one query that arrived at `now`.
    pub(super) fn open(
        &self,
        tables: HashMap<String, Arc<dyn TableProvider>>,
        running: &Running,
        now: Timestamp,
    ) -> Result<SessionState> {
        let schema = MemorySchemaProvider::new();
        for (name, table) in tables {
            schema.register_table(name, table)?;
        }
        let catalog = MemoryCatalogProvider::new();
        catalog.register_schema(SCHEMA, Arc::new(schema))?;
        let mut state = self.template.clone();
        let catalogs = MemoryCatalogProviderList::new();
        state.register_catalog_list(Arc::new(catalogs));
        state
            .catalog_list()
            .register_catalog(CATALOG.to_owned(), Arc::new(catalog));
        let pool = QueryPool::new(Arc::clone(&self.memory), Arc::clone(&running.held));
        let runtime = RuntimeEnv {
            memory_pool: Arc::new(pool),
            ..self.template.runtime_env().as_ref().clone()
        };
        let mut state = SessionStateBuilder::new_from_existing(state)
            .with_runtime_env(Arc::new(runtime))
            .build();
        state.execution_props_mut().query_execution_start_time =
            Some(DateTime::<Utc>::from_timestamp_nanos(now.0));
        Ok(state)
    }
}

fn session_config(config: &Config) -> SessionConfig {
    let mut session = SessionConfig::new()
        .with_target_partitions(config.partitions.max(1))
        .with_information_schema(true)
        .with_create_default_catalog_and_schema(false)
        .with_default_catalog_and_schema(CATALOG, SCHEMA);
    let options = session.options_mut();
    options.sql_parser.dialect = Dialect::PostgreSQL;
    options.execution.time_zone = Some("+00:00".to_owned());
    options.execution.enable_recursive_ctes = false;
    // What each sort keeps back to merge its spills: the default alone would fill a small pool.
    options.execution.sort_spill_reservation_bytes =
        (config.memory_bytes / 64).clamp(1 << 20, 10 << 20);
    // The engine chooses per query (see `plan::Facts`).
    options.execution.parquet.pushdown_filters = false;
    session
}

fn runtime(config: &Config, memory: Arc<dyn MemoryPool>) -> Result<RuntimeEnv> {
    let mode = match &config.spill_dir {
        _ if config.spill_bytes_max == 0 => DiskManagerMode::Disabled,
        Some(dir) => DiskManagerMode::Directories(vec![dir.clone()]),
        None => DiskManagerMode::OsTmpDirectory,
    };
    let disk = DiskManagerBuilder::default()
        .with_mode(mode)
        .with_max_temp_directory_size(config.spill_bytes_max);
    Ok(RuntimeEnvBuilder::new()
        .with_memory_pool(memory)
        .with_disk_manager_builder(disk)
        .with_object_store_registry(Arc::new(Stores::default()))
        .build()?)
}

/// The object stores that scans may read. DataFusion's own registry holds the local file system from the start.
#[derive(Debug, Default)]
struct Stores(RwLock<HashMap<String, Arc<dyn ObjectStore>>>);

fn key(url: &Url) -> String {
    format!("{}://{}", url.scheme(), url.authority())
}

impl ObjectStoreRegistry for Stores {
    fn register_store(
        &self,
        url: &Url,
        store: Arc<dyn ObjectStore>,
    ) -> Option<Arc<dyn ObjectStore>> {
        self.0.write().insert(key(url), store)
    }

    fn get_store(&self, url: &Url) -> DataFusionResult<Arc<dyn ObjectStore>> {
        self.0
            .read()
            .get(&key(url))
            .map(Arc::clone)
            .ok_or_else(|| DataFusionError::Internal("there is no such object store".to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_registered_stores_are_found() {
        let stores = Stores::default();
        let file = Url::parse("file:///").unwrap();
        assert!(
            stores.get_store(&file).is_err(),
            "the local file system is not there"
        );
        let ours = Url::parse("store://tables/").unwrap();
        stores.register_store(
            &ours,
            Arc::new(datafusion::object_store::memory::InMemory::new()),
        );
        assert!(
            stores
                .get_store(&Url::parse("store://tables/a/b").unwrap())
                .is_ok()
        );
        assert!(
            stores
                .get_store(&Url::parse("store://other/").unwrap())
                .is_err()
        );
    }
}
