//! An upstream's answer, as far as it was read.

use crate::compose::loan::Loan;
use crate::snapshot::balance::Round;
use bytes::Bytes;
use pingora::Result;
use pingora::http::ResponseHeader;
use std::time::Duration;

/// An answer, whole or not.
pub struct Answered {
    /// Its head.
    pub head: ResponseHeader,
    /// Its body, or the beginning of it.
    pub body: Bytes,
    /// Where the rest comes from, if there is more.
    pub rest: Option<Rest>,
}

/// The rest of a body, still at the upstream.
pub struct Rest {
    loan: Box<Loan>,
    /// Whether the connection may carry another request afterwards.
    is_kept: bool,
    /// What counts the request as under way.
    round: Option<Round>,
}

impl Rest {
    pub(super) fn new(mut loan: Loan, is_kept: bool) -> Self {
        loan.outlast();
        Self { loan: Box::new(loan), is_kept, round: None }
    }

    /// As long as the rest is not read, the request is under way.
    pub(super) fn keep_under_way(&mut self, round: Round) {
        self.round = Some(round);
    }

    /// How long each piece may take to come.
    pub(super) fn bound(&mut self, wait: Duration) {
        self.loan.set_read_timeout(Some(wait));
    }

    /// The next piece; `None` at the end.
    ///
    /// # Errors
    /// If the upstream breaks off, or takes too long.
    pub async fn read(&mut self) -> Result<Option<Bytes>> {
        let read = self.loan.read_response_body().await;
        read.map_err(|mut error| {
            self.loan.failed(&mut error);
            error
        })
    }

    /// Keeps the connection for another request, if it may be.
    pub async fn release(self) {
        if self.is_kept {
            self.loan.give_back().await;
        }
    }
}
