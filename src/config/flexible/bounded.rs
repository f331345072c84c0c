//! A text that refuses to grow beyond what a configuration may have.

use super::fault::Fault;
use crate::config::MAX_SIZE;

/// The text so far.
#[derive(Debug, Default)]
pub(super) struct Bounded(String);

impl Bounded {
    /// Adds a text.
    pub(super) fn push_str(&mut self, text: &str) -> Result<(), Fault> {
        self.room_for(text.len())?;
        self.0.push_str(text);
        Ok(())
    }

    /// Adds a character.
    pub(super) fn push(&mut self, c: char) -> Result<(), Fault> {
        self.push_str(c.encode_utf8(&mut [0; 4]))
    }

    /// Adds a character some times.
    pub(super) fn fill(&mut self, c: char, times: usize) -> Result<(), Fault> {
        self.room_for(times.saturating_mul(c.len_utf8()))?;
        self.0.extend(std::iter::repeat_n(c, times));
        Ok(())
    }

    /// Whether nothing was added yet.
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The text.
    pub(super) fn into_string(self) -> String {
        self.0
    }

    fn room_for(&self, more: usize) -> Result<(), Fault> {
        let length = self.0.len().saturating_add(more);
        if u64::try_from(length).is_ok_and(|length| length <= MAX_SIZE) {
            return Ok(());
        }
        let message = format!("the rendered text is larger than {} MiB", MAX_SIZE / 1024 / 1024);
        Err(Fault::limit(message).help("look for a loop or an `include` that runs more often than it should"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_grows_up_to_its_bound() {
        let mut text = Bounded::default();
        text.fill('x', 16 * 1024 * 1024).unwrap();
        assert_eq!(text.push('y').unwrap_err().code, "E043");
        assert!(Bounded::default().fill('é', usize::MAX).is_err());
        assert_eq!(text.into_string().len(), 16 * 1024 * 1024);
    }
}
