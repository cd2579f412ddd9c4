//! The rule groups as they were after their last evaluations: what everybody but the evaluator sees of them.
//!
//! Whoever reads holds up no evaluation, and an evaluation no reader. Must not know when groups are evaluated.

use std::sync::Arc;

use arc_swap::ArcSwap;
use series::rule::GroupView;

/// The published rule groups, shared by the evaluator, which writes them, and those who show them.
#[derive(Debug)]
pub struct Rules(ArcSwap<Arc<[GroupView]>>);

impl Default for Rules {
    fn default() -> Self {
        Self(ArcSwap::from_pointee(Arc::new([])))
    }
}

impl Rules {
    /// The groups in the order of the files, as they were after their last evaluations.
    pub fn views(&self) -> Arc<[GroupView]> {
        Arc::clone(&self.0.load())
    }

    /// Publishes all groups.
    pub fn publish(&self, views: impl IntoIterator<Item = GroupView>) {
        self.0.store(Arc::new(views.into_iter().collect()));
    }

    /// Publishes the group at a position anew, and the others as they were. There is only one who publishes.
    pub(super) fn publish_one(&self, position: usize, view: &GroupView) {
        let views = self.views();
        let views = views.iter().enumerate();
        self.publish(
            views.map(|(index, old)| if index == position { view.clone() } else { old.clone() }),
        );
    }
}
