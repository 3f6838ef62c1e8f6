//! Near misses: names that differ from a word by a few letters, or hold it.

/// Names offered at most.
const NAMES_MAX: usize = 3;

/// The names nearest to `word`, nearest first.
pub(super) fn nearest<'n>(word: &str, names: impl Iterator<Item = &'n str>) -> Vec<String> {
    let tolerance = word.chars().count().div_ceil(3);
    let near = names.filter_map(|name| {
        let distance = distance(word, name);
        let close = distance <= tolerance || (word.len() > 2 && name.contains(word));
        close.then_some((distance, name))
    });
    let mut near: Vec<(usize, &str)> = near.collect();
    near.sort_unstable();
    near.into_iter().take(NAMES_MAX).map(|(_, name)| name.to_owned()).collect()
}

/// Letters to insert, remove or replace to make one word from the other.
fn distance(one: &str, other: &str) -> usize {
    let other: Vec<char> = other.chars().collect();
    let mut row: Vec<usize> = (0..=other.len()).collect();
    for (index, letter) in one.chars().enumerate() {
        let mut next = vec![index + 1];
        let pairs = row.iter().zip(row.iter().skip(1)).zip(&other);
        for ((&diagonal, &above), other_letter) in pairs {
            let left = next.last().copied().unwrap_or(index);
            let replaced = diagonal + usize::from(letter != *other_letter);
            next.push(replaced.min(above + 1).min(left + 1));
        }
        row = next;
    }
    row.last().copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distance_counts_letters() {
        assert_eq!(distance("linux", "linux"), 0);
        assert_eq!(distance("linx", "linux"), 1);
        assert_eq!(distance("", "abc"), 3);
        assert_eq!(distance("kitten", "sitting"), 3);
    }

    #[test]
    fn a_part_of_a_long_name_is_near() {
        let names = ["autogit-runner-linux-amd64-0", "docs"];
        assert_eq!(nearest("linux-amd64-0", names.into_iter()), [names[0]]);
        assert!(nearest("x", names.into_iter()).is_empty());
    }
}
