//! Which of many histories are looked at.

use std::collections::HashSet;

/// What is known of a history before it is replayed. A list of them is in order of start, newest first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Seen {
    pub(super) path: u64,
    pub(super) events: u64,
}

/// `most` of `total` places, spread evenly, the first and the last among them.
pub(super) fn spread(total: usize, most: usize) -> Vec<usize> {
    if total <= most {
        return (0..total).collect();
    }
    match most {
        0 => Vec::new(),
        1 => vec![0],
        _ => (0..most).map(|n| n * (total - 1) / (most - 1)).collect(),
    }
}

/// The places of `most` of `seen`, newest first: of each path the newest, and then by turns the newest, the oldest,
/// the longest and the shortest of what is left.
pub(super) fn choose(seen: &[Seen], most: usize) -> Vec<usize> {
    let mut paths = HashSet::new();
    let mut chosen: Vec<usize> = (0..seen.len())
        .filter(|&place| paths.insert(seen[place].path))
        .take(most)
        .collect();
    let mut left: Vec<usize> = (0..seen.len()).filter(|it| !chosen.contains(it)).collect();
    let length = |place: &usize| seen[*place].events;
    for turn in 0.. {
        if chosen.len() >= most || left.is_empty() {
            break;
        }
        let at = match turn % 4 {
            0 => Some(0),
            1 => Some(left.len() - 1),
            2 => (0..left.len()).max_by_key(|&at| length(&left[at])),
            _ => (0..left.len()).min_by_key(|&at| length(&left[at])),
        };
        chosen.extend(at.map(|at| left.remove(at)));
    }
    chosen.sort_unstable();
    chosen
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(all: &[(u64, u64)]) -> Vec<Seen> {
        all.iter()
            .map(|&(path, events)| Seen { path, events })
            .collect()
    }

    #[test]
    fn places_are_spread_from_the_newest_to_the_oldest() {
        assert_eq!(spread(3, 5), [0, 1, 2]);
        assert_eq!(spread(101, 5), [0, 25, 50, 75, 100]);
        assert_eq!(spread(9, 2), [0, 8]);
        assert_eq!(spread(9, 1), [0]);
        assert!(spread(9, 0).is_empty());
        assert!(spread(0, 4).is_empty());
    }

    #[test]
    fn a_rare_path_is_never_left_out() {
        let mut all = vec![(1, 10); 50];
        all[37] = (2, 10);
        all[44] = (3, 10);
        let chosen = choose(&seen(&all), 5);
        assert_eq!(chosen.len(), 5);
        assert!(chosen.contains(&37) && chosen.contains(&44), "{chosen:?}");
        assert!(chosen.contains(&0), "the newest: {chosen:?}");
    }

    #[test]
    fn new_and_old_and_long_and_short_are_chosen() {
        let mut all = vec![(1, 10); 20];
        all[9].1 = 900;
        all[12].1 = 3;
        // The newest stands for its path; then the next newest, the oldest, the longest and the shortest.
        assert_eq!(choose(&seen(&all), 5), [0, 1, 9, 12, 19]);
    }

    #[test]
    fn more_paths_than_places_keep_the_newest() {
        let all: Vec<(u64, u64)> = (0..9).map(|path| (path, 1)).collect();
        assert_eq!(choose(&seen(&all), 3), [0, 1, 2]);
        assert!(choose(&seen(&all), 0).is_empty());
    }
}
