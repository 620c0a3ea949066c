//! `max_parallel: auto`.

/// Memory that one chain is given.
const BYTES_PER_CHAIN: u64 = 4 << 30;

/// How many chains this machine runs at once under `auto`.
#[must_use]
pub fn automatic_parallelism() -> usize {
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    chains_for(cores, memory())
}

/// One chain for each core, but at least 4 GiB of memory for each; at least one.
fn chains_for(cores: usize, memory: u64) -> usize {
    let by_memory = usize::try_from(memory / BYTES_PER_CHAIN).unwrap_or(usize::MAX);
    cores.min(by_memory).max(1)
}

/// Bytes of memory in the machine.
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
        for (cores, gib, chains) in [(8, 64_u64, 8), (8, 16, 4), (8, 15, 3), (2, 64, 2), (4, 1, 1), (0, 1, 1)] {
            assert_eq!(chains_for(cores, gib << 30), chains, "{cores} {gib}");
        }
        assert!(automatic_parallelism() >= 1);
    }
}
