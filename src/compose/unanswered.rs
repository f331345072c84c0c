//! An attempt without an answer: how it broke, which decides whether there is another, and what is told if there is none.

use crate::base::Failure;
use crate::compose::trouble::Trouble;
use crate::forward::retry::Broken;

/// An attempt without an answer.
pub(super) struct Unanswered {
    /// How it broke; `None`: in a way after which nobody is asked again.
    pub broken: Option<Broken>,
    /// What went wrong.
    pub trouble: Trouble,
}

impl Unanswered {
    /// A failure that ends the call.
    pub(super) fn of(failure: Failure) -> Self {
        Trouble::Failure(failure, "").into()
    }
}

impl From<Trouble> for Unanswered {
    fn from(trouble: Trouble) -> Self {
        Self { broken: None, trouble }
    }
}

impl Trouble {
    /// The attempt that broke with this trouble.
    pub(super) fn broken(self, broken: Broken) -> Unanswered {
        Unanswered { broken: Some(broken), trouble: self }
    }
}
