//! A question to several threads, with one answer made of theirs.
//!
//! Must not know what is asked.

use std::sync::{Arc, Mutex};

use notation::sync::lock;

/// The reason when a thread ended without an answer.
const ENDED: &str = "the destination has ended";

/// A question to several. Once it and all of its [`Answer`]s are dropped, its callback gets their combination, or the reason of one
/// that failed.
pub(crate) struct Question<T>(Arc<Asked<T>>);

/// The answer that one of those asked owes.
pub(crate) struct Answer<T> {
    asked: Arc<Asked<T>>,
    is_given: bool,
}

struct Asked<T> {
    together: fn(T, T) -> T,
    /// Taken when it is over.
    state: Mutex<Option<State<T>>>,
}

struct State<T> {
    result: Result<T, String>,
    done: Box<dyn FnOnce(Result<T, String>) + Send>,
}

impl<T> Question<T> {
    /// A question that `start` answers when nobody is asked.
    pub(crate) fn new(
        start: T,
        together: fn(T, T) -> T,
        done: impl FnOnce(Result<T, String>) + Send + 'static,
    ) -> Self {
        let state = State { result: Ok(start), done: Box::new(done) };
        Self(Arc::new(Asked { together, state: Mutex::new(Some(state)) }))
    }

    /// Asks one more.
    pub(crate) fn ask(&self) -> Answer<T> {
        Answer { asked: Arc::clone(&self.0), is_given: false }
    }
}

impl<T> Answer<T> {
    /// Gives it.
    pub(crate) fn give(mut self, result: Result<T, String>) {
        self.is_given = true;
        self.asked.add(result);
    }
}

impl<T> Drop for Answer<T> {
    fn drop(&mut self) {
        if !self.is_given {
            self.asked.add(Err(ENDED.to_owned()));
        }
    }
}

impl<T> Asked<T> {
    fn add(&self, one: Result<T, String>) {
        let mut state = lock(&self.state);
        if let Some(State { result, done }) = state.take() {
            let result = match (result, one) {
                (Ok(others), Ok(one)) => Ok((self.together)(others, one)),
                (Err(why), _) | (Ok(_), Err(why)) => Err(why),
            };
            *state = Some(State { result, done });
        }
    }
}

impl<T> Drop for Asked<T> {
    fn drop(&mut self) {
        let taken = lock(&self.state).take();
        if let Some(State { result, done }) = taken {
            done(result);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::channel;

    use super::*;

    #[test]
    fn it_is_given_once_all_are_and_fails_when_one_does() {
        for (answers, expected) in [
            (vec![], Ok(0)),
            (vec![Some(Ok(1)), Some(Ok(2))], Ok(3)),
            (vec![Some(Ok(1)), Some(Err("full".to_owned())), None], Err("full".to_owned())),
            (vec![Some(Ok(1)), None], Err(ENDED.to_owned())),
        ] {
            let (send, receive) = channel();
            let done = move |result| send.send(result).unwrap();
            let question = Question::new(0, |one, other| one + other, done);
            let asked: Vec<_> = answers.iter().map(|_| question.ask()).collect();
            let count = asked.len();
            drop(question);
            for (index, (answer, result)) in asked.into_iter().zip(answers).enumerate() {
                assert!(receive.try_recv().is_err(), "{index} of {count} are given");
                match result {
                    Some(result) => answer.give(result),
                    None => drop(answer),
                }
            }
            assert_eq!(receive.try_recv(), Ok(expected));
        }
    }
}
