//! The program: parses, calls [`outspan::cli`], turns the error into an exit code; nothing else.

/// Long-lived servers fragment the system's allocator; jemalloc also tells how much is allocated.
#[cfg(not(target_env = "msvc"))]
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

fn main() -> std::process::ExitCode {
    outspan::cli::main()
}
