// SPDX-License-Identifier: Apache-2.0

//! Which of several failures says most. Pure, but for the waiting.
//!
//! What is asked for one image is asked at once, and fails together: one request is refused, and all that wait
//! for their turn are told that the registry is left alone. Their errors come first and say least.

use futures::{Stream, StreamExt};

/// How much an error says of what is wrong. The first is the best.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Rank {
    /// It will be so the next time: somebody has to do something.
    Lasting,
    /// It was asked, and may be answered otherwise in a moment.
    Passing,
    /// It was not asked, because of what others met.
    Consequence,
    /// Nobody wanted to know any more.
    Cancelled,
}

/// An error whose words weigh more or less.
pub(super) trait Telling {
    fn rank(&self) -> Rank;
}

/// All of what comes, or the error that says most: one that is no mere consequence ends it at once, another one
/// waits for what the others meet.
pub(super) async fn all<T, E: Telling>(
    results: impl Stream<Item = Result<T, E>>,
) -> Result<Vec<T>, E> {
    let mut results = std::pin::pin!(results);
    let (mut found, mut worst) = (Vec::new(), None);
    while let Some(result) = results.next().await {
        match result {
            Ok(one) => found.push(one),
            Err(error) if error.rank() < Rank::Consequence => return Err(error),
            Err(error) => worst = Some(told(worst, error)),
        }
    }
    worst.map_or(Ok(found), Err)
}

/// All of what has come, or the error that says most.
pub(super) fn of<T, E: Telling>(
    results: impl IntoIterator<Item = Result<T, E>>,
) -> Result<Vec<T>, E> {
    let (mut found, mut worst) = (Vec::new(), None);
    for result in results {
        match result {
            Ok(one) => found.push(one),
            Err(error) => worst = Some(told(worst, error)),
        }
    }
    worst.map_or(Ok(found), Err)
}

/// An error, or the one before it if that says more.
pub(super) fn better<E: Telling>(error: E, before: Option<E>) -> E {
    match before {
        Some(before) if before.rank() < error.rank() => before,
        Some(_) | None => error,
    }
}

/// What is told of an error and those before it: of equals the first.
fn told<E: Telling>(before: Option<E>, error: E) -> E {
    match before {
        Some(before) if before.rank() <= error.rank() => before,
        Some(_) | None => error,
    }
}

#[cfg(test)]
mod tests {
    use futures::stream;

    use super::*;

    #[derive(Debug, PartialEq, Eq)]
    struct Failed(Rank, u8);

    impl Telling for Failed {
        fn rank(&self) -> Rank {
            self.0
        }
    }

    #[tokio::test]
    async fn the_error_that_says_most_is_told() {
        use Rank::{Cancelled, Consequence, Lasting, Passing};
        // The ranks of errors in the order in which they come, and which is told: of all, and as soon as possible.
        let cases: [(&[Rank], usize, usize); 7] = [
            (&[Consequence], 0, 0),
            (&[Consequence, Passing], 1, 1),
            (&[Consequence, Passing, Lasting], 2, 1),
            (&[Cancelled, Consequence, Consequence], 1, 1),
            (&[Passing, Passing, Consequence], 0, 0),
            (&[Lasting, Passing], 0, 0),
            (&[Cancelled, Passing, Lasting], 2, 1),
        ];
        for (ranks, of_all, at_once) in cases {
            let results = || {
                let errors = (0..)
                    .zip(ranks)
                    .map(|(number, rank)| Err(Failed(*rank, number)));
                [Ok(7)].into_iter().chain(errors).chain([Ok(8)])
            };
            let told = |place: usize| Err(Failed(ranks[place], u8::try_from(place).unwrap()));
            assert_eq!(of(results()), told(of_all), "{ranks:?}");
            assert_eq!(
                all(stream::iter(results())).await,
                told(at_once),
                "{ranks:?}"
            );
        }
        let good = || [Ok::<_, Failed>(1), Ok(2)];
        assert_eq!(of(good()), Ok(vec![1, 2]));
        assert_eq!(all(stream::iter(good())).await, Ok(vec![1, 2]));
    }
}
