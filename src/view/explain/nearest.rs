//! Near misses: names that differ from a word by a few letters, or hold it.

/// Names offered at most.
const NAMES_MAX: usize = 3;

/// The names nearest to `word`, nearest first.
pub(crate) fn nearest<'n>(word: &str, names: impl Iterator<Item = &'n str>) -> Vec<String> {
    let tolerance = word.chars().count().div_ceil(3);
    let near = names.filter_map(|name| {
        let distance = strsim::levenshtein(word, name);
        let close = distance <= tolerance || (word.len() > 2 && name.contains(word));
        close.then_some((distance, name))
    });
    let mut near: Vec<(usize, &str)> = near.collect();
    near.sort_unstable();
    near.into_iter().take(NAMES_MAX).map(|(_, name)| name.to_owned()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_of_a_long_name_is_near() {
        let names = ["autogit-runner-linux-amd64-0", "docs"];
        assert_eq!(nearest("linux-amd64-0", names.into_iter()), [names[0]]);
        assert!(nearest("x", names.into_iter()).is_empty());
    }
}
