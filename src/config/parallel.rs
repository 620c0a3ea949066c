//! `max_parallel: auto`.

/// Memory that one chain is given.
const BYTES_PER_CHAIN: u64 = 4 << 30;

/// How many chains this machine runs at once under `auto`.
#[must_use]
pub fn automatic_parallelism() -> usize {
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    #[cfg(target_os = "linux")]
    let memory = Some(memory());
    #[cfg(not(target_os = "linux"))]
    let memory = None;
    chains_for(cores, memory)
}

/// One chain for each core, but at least 4 GiB of memory for each (specification §4); at least one. Memory that is not
/// known does not limit.
fn chains_for(cores: usize, memory: Option<u64>) -> usize {
    let by_memory = memory.map_or(usize::MAX, |bytes| usize::try_from(bytes / BYTES_PER_CHAIN).unwrap_or(usize::MAX));
    cores.min(by_memory).max(1)
}

/// Bytes of memory in the machine.
#[cfg(target_os = "linux")]
fn memory() -> u64 {
    let info = rustix::system::sysinfo();
    #[expect(clippy::useless_conversion, reason = "the field is narrower on 32-bit machines")]
    let total = u64::from(info.totalram);
    total * u64::from(info.mem_unit)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cores_and_memory_limit() {
        let gib = |n: u64| Some(n << 30);
        for (cores, memory, chains) in
            [(8, gib(64), 8), (8, gib(16), 4), (8, gib(15), 3), (2, gib(64), 2), (4, gib(1), 1), (0, gib(1), 1), (6, None, 6)]
        {
            assert_eq!(chains_for(cores, memory), chains, "{cores} {memory:?}");
        }
        assert!(automatic_parallelism() >= 1);
    }
}
