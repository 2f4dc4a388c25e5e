//! How wasmtime is set up.

use wasmtime::{Config, Engine, InstanceAllocationStrategy, PoolingAllocationConfig};

use crate::error::HostError;
use crate::host::HostOptions;

/// Core instances of one component; one made by `wit-component` has up to four.
pub(crate) const CORE_INSTANCES_MAX: u32 = 8;
/// Tables of one component.
pub(crate) const TABLES_MAX: u32 = 8;
/// Elements of one table; a JavaScript engine has some thousands.
pub(crate) const TABLE_ELEMENTS_MAX: usize = 20_000;
/// Slots kept ready between calls, and how much memory each of them keeps: a call in a warm slot
/// saves the page faults, and an idle host keeps a few MiB at most.
const WARM_SLOTS: u32 = 8;
const WARM_BYTES: usize = 2 << 20;
/// Address space of one memory without a pool; a larger memory moves as it grows.
const ON_DEMAND_RESERVED_BYTES: u64 = 4 << 20;
/// A guest's stack.
const STACK_BYTES_MAX: usize = 512 << 10;

/// How memory of instances is allocated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Allocator {
    /// Slots reserved at start: an instance costs microseconds.
    Pooling,
    /// Mapped for each call. Slower, but needs no large address space.
    OnDemand,
}

/// Tries the pool first. It reserves address space (not memory) for all its slots, which machines
/// with 39-bit addresses, `ulimit -v` and some containers refuse.
pub(crate) fn start(options: &HostOptions) -> Result<(Engine, Allocator), HostError> {
    let mut pooled = config();
    pooled.allocation_strategy(pool(options)).memory_reservation(options.memory_bytes_max as u64);
    match Engine::new(&pooled) {
        Ok(engine) => return Ok((engine, Allocator::Pooling)),
        Err(error) => {
            tracing::warn!(%error, "no address space for the plugin pool: plugin calls will be slower");
        }
    }
    let mut on_demand = config();
    // The default is 4 GiB for each memory, which the same machines refuse as well.
    on_demand.memory_reservation(ON_DEMAND_RESERVED_BYTES).memory_reservation_for_growth(0);
    let engine = Engine::new(&on_demand).map_err(|error| HostError::Engine(error.to_string()))?;
    Ok((engine, Allocator::OnDemand))
}

fn config() -> Config {
    let mut config = Config::new();
    config.epoch_interruption(true).max_wasm_stack(STACK_BYTES_MAX);
    // The host never attaches a debugger or a profiler to a guest.
    config.native_unwind_info(false);
    config
}

fn pool(options: &HostOptions) -> InstanceAllocationStrategy {
    let calls = options.calls_max;
    let mut pool = PoolingAllocationConfig::new();
    pool.total_component_instances(calls)
        .total_core_instances(calls.saturating_mul(CORE_INSTANCES_MAX))
        .max_core_instances_per_component(CORE_INSTANCES_MAX)
        .total_memories(calls)
        .max_memories_per_component(1)
        .max_memory_size(options.memory_bytes_max)
        .total_tables(calls.saturating_mul(TABLES_MAX))
        .max_tables_per_component(TABLES_MAX)
        .table_elements(TABLE_ELEMENTS_MAX)
        .max_unused_warm_slots(WARM_SLOTS)
        .linear_memory_keep_resident(WARM_BYTES)
        .table_keep_resident(WARM_BYTES);
    InstanceAllocationStrategy::Pooling(pool)
}
