//! How many threads the network gets where nobody says.

use std::collections::HashSet;
use std::fs::read_to_string;
use std::thread::available_parallelism;

/// From as many cores on, one is left to camera and window.
const MANY: usize = 4;

/// One thread for each physical core that the process may use, on four or more all but one.
pub fn threads() -> u16 {
    let allowed = available_parallelism().map_or(1, usize::from);
    // A container's share may be less than its cores.
    let cores = physical().map_or(allowed, |cores| cores.min(allowed));
    share(cores).try_into().unwrap_or(u16::MAX)
}

fn share(cores: usize) -> usize {
    if cores >= MANY { cores - 1 } else { cores.max(1) }
}

/// Two processors of one core have the same list of siblings.
fn physical() -> Option<usize> {
    let status = read_to_string("/proc/self/status").ok()?;
    let allowed = status.lines().find_map(|line| line.strip_prefix("Cpus_allowed_list:"))?;
    let siblings =
        |cpu: usize| read_to_string(format!("/sys/devices/system/cpu/cpu{cpu}/topology/thread_siblings_list")).ok();
    let cores: HashSet<String> = numbers(allowed)?.into_iter().map(siblings).collect::<Option<_>>()?;
    Some(cores.len()).filter(|cores| *cores > 0)
}

/// The numbers of a list as the kernel writes it: `0-3,8`.
fn numbers(list: &str) -> Option<Vec<usize>> {
    let mut numbers = Vec::new();
    for part in list.trim().split(',') {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        numbers.extend(first.parse::<usize>().ok()?..=last.parse().ok()?);
    }
    Some(numbers)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_of_many_cores_is_left() {
        assert_eq!([0, 1, 2, 3, 4, 8].map(share), [1, 1, 2, 3, 3, 7]);
    }

    #[test]
    fn lists_of_the_kernel() {
        assert_eq!(numbers("0-3,8\n"), Some(vec![0, 1, 2, 3, 8]));
        assert_eq!(numbers("\t5"), Some(vec![5]));
        assert_eq!(numbers("all"), None);
    }
}
