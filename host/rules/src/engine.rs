//! The rhai engine with every limit set.

use std::time::Duration;

use rhai::packages::{
    BasicArrayPackage, BasicMapPackage, BasicMathPackage, CorePackage, LogicPackage,
    MoreStringPackage, Package,
};
use rhai::{Dynamic, Engine, EvalAltResult, INT, OptimizationLevel};

use crate::{host, session};

/// Limits of one evaluation. All are set always: rhai's own defaults differ between debug and
/// release builds or are unlimited, and then tests would lie.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Operations.
    pub operations: u64,
    /// Nested calls of script functions.
    pub call_levels: usize,
    /// Depth of an expression outside functions.
    pub expression_depth: usize,
    /// Depth of an expression inside a function.
    pub function_expression_depth: usize,
    /// Bytes of a string.
    pub string_bytes: usize,
    /// Items of an array, nested ones included.
    pub array_items: usize,
    /// Entries of a map, nested ones included.
    pub map_entries: usize,
    /// Functions of a script.
    pub functions: usize,
    /// Variables in scope.
    pub variables: usize,
    /// Bytes of a script.
    pub script_bytes: usize,
    /// Wall time in milliseconds.
    pub wall_ms: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            operations: 500_000,
            call_levels: 24,
            expression_depth: 32,
            function_expression_depth: 32,
            string_bytes: 64 * 1024,
            array_items: 20_000,
            map_entries: 50_000,
            functions: 128,
            variables: 256,
            script_bytes: 64 * 1024,
            wall_ms: 500,
        }
    }
}

impl Limits {
    pub(crate) fn wall(&self) -> Duration {
        Duration::from_millis(self.wall_ms)
    }
}

/// Keywords a rule must not use: scripts inside scripts, other files, function pointers (they reach
/// functions by a name made at run time), and catching errors, which would turn a failed look-up
/// into a silent pass.
const FORBIDDEN: [&str; 8] = ["eval", "import", "export", "Fn", "call", "curry", "try", "catch"];

/// Builds the engine.
pub(crate) fn build(limits: &Limits) -> Engine {
    // Not the standard package: it brings clocks and blobs, and a rule is a function of its input.
    let mut engine = Engine::new_raw();
    CorePackage::new().register_into_engine(&mut engine);
    MoreStringPackage::new().register_into_engine(&mut engine);
    BasicArrayPackage::new().register_into_engine(&mut engine);
    BasicMapPackage::new().register_into_engine(&mut engine);
    BasicMathPackage::new().register_into_engine(&mut engine);
    LogicPackage::new().register_into_engine(&mut engine);
    set_limits(&mut engine, limits);
    for symbol in FORBIDDEN {
        engine.disable_symbol(symbol);
    }
    engine
        .set_optimization_level(OptimizationLevel::None)
        .set_strict_variables(true)
        .set_fail_on_invalid_map_property(true)
        .set_allow_shadowing(false)
        .set_allow_anonymous_fn(false);
    engine.on_progress(session::on_progress);
    engine.on_print(|text| tracing::debug!(target: "rules", text, "print"));
    engine.on_debug(|text, _, at| tracing::debug!(target: "rules", text, ?at, "debug"));
    refuse_core_functions(&mut engine);
    host::register(&mut engine);
    engine
}

/// The core package can block the thread and leave the whole evaluation from inside a function.
/// A function registered on the engine wins over those of packages.
fn refuse_core_functions(engine: &mut Engine) {
    fn refused() -> Result<(), Box<EvalAltResult>> {
        Err("this function is not allowed in a rule".into())
    }
    engine.register_fn("sleep", |_seconds: INT| refused());
    engine.register_fn("exit", refused);
    engine.register_fn("exit", |_value: Dynamic| refused());
}

fn set_limits(engine: &mut Engine, limits: &Limits) {
    engine
        .set_max_operations(limits.operations)
        .set_max_call_levels(limits.call_levels)
        .set_max_expr_depths(limits.expression_depth, limits.function_expression_depth)
        .set_max_string_size(limits.string_bytes)
        .set_max_array_size(limits.array_items)
        .set_max_map_size(limits.map_entries)
        .set_max_functions(limits.functions)
        .set_max_modules(0)
        .set_max_variables(limits.variables);
}
