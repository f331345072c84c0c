//! "Did you mean": the known word closest to an unknown one.

/// The closest of `known`, if any is close enough to be meant.
pub(super) fn closest<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let word = word.to_lowercase();
    let limit = (word.chars().count() / 3).clamp(1, 4);
    known
        .into_iter()
        .map(|candidate| (strsim::damerau_levenshtein(&word, &candidate.to_lowercase()), candidate))
        .filter(|(distance, _)| *distance <= limit)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

/// A help line with the closest word, or nothing.
pub(super) fn did_you_mean<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> String {
    closest(word, known).map(|found| format!("did you mean `{found}`?")).unwrap_or_default()
}

/// A help line with the closest word, or with all of them.
pub(super) fn did_you_mean_or(word: &str, known: &[&str]) -> String {
    match did_you_mean(word, known.iter().copied()) {
        help if help.is_empty() => format!("one of {}", known.join(", ")),
        help => help,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_near_word_is_suggested() {
        let known = ["method", "endpoint", "backend", "url_pattern"];
        assert_eq!(closest("methode", known), Some("method"));
        assert_eq!(closest("urlpattern", known), Some("url_pattern"));
        assert_eq!(closest("bakcend", known), Some("backend"));
        assert_eq!(closest("colour", known), None);
        assert_eq!(closest("x", known), None);
    }
}
