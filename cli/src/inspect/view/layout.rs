//! Where the parts of the screen are.
//!
//! From top to bottom: views, body, status, foot. The status is there at any size; the others come as lines are there for
//! them. The body is the list, and beside it or below it the pane, if there is one.

use ratatui::layout::Rect;

use super::super::app::App;
use super::super::query::View;
use super::table::Table;

/// The screen's parts; those without room are empty.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Layout {
    pub(super) tabs: Rect,
    pub(super) list: Rect,
    pub(super) pane: Rect,
    /// The pane stands right of the list.
    pub(super) is_beside: bool,
    pub(super) status: Rect,
    pub(super) foot: Rect,
}

/// Columns from which the pane stands beside the list.
const BESIDE: u16 = 100;

impl Layout {
    pub(super) fn new(app: &App, area: Rect) -> Self {
        let status = u16::from(area.height >= 1);
        let foot = foot_height(app, area.height);
        let tabs = u16::from(area.height > foot + 2);
        let body = area.height.saturating_sub(status + foot + tabs);
        let line = |from: u16, height: u16| Rect { y: area.y.saturating_add(from), height, ..area };
        let (list, pane, is_beside) = split(app, line(tabs, body));
        Self {
            tabs: line(0, tabs),
            list,
            pane,
            is_beside,
            status: line(tabs + body, status),
            foot: line(tabs + body + status, foot),
        }
    }

    /// Rows of the list that fit.
    pub(super) fn page(&self) -> usize {
        let height = usize::from(self.list.height);
        height.saturating_sub(Table::head_height(height))
    }
}

/// Lines below the status: hints, or what is typed with what is wrong with it.
fn foot_height(app: &App, height: u16) -> u16 {
    let wrong = app.prompt.as_ref().is_some_and(|prompt| prompt.error.is_some());
    match height {
        0..=1 => 0,
        2 => u16::from(app.prompt.is_some()),
        6.. if wrong => 3,
        _ => 1,
    }
}

/// List, pane, and whether they stand side by side.
fn split(app: &App, body: Rect) -> (Rect, Rect, bool) {
    let none = Rect { height: 0, ..body };
    let has_pane = app.is_detail_open && app.query.view != View::Operations;
    if !has_pane {
        return (body, none, false);
    }
    if app.is_detail_expanded {
        return (none, body, false);
    }
    if body.width >= BESIDE && app.query.view != View::File {
        let list = body.width / 100 * 56 + body.width % 100 / 2;
        let pane = Rect { x: body.x.saturating_add(list), width: body.width - list, ..body };
        return (Rect { width: list, ..body }, pane, true);
    }
    if body.height < 7 {
        return (body, none, false);
    }
    let half = body.height * 2 / 5;
    let list = match app.query.view {
        View::File => half.min(u16::try_from(app.snapshot.files.len()).unwrap_or(half).saturating_add(1)),
        _ => half,
    };
    let list = list.max(3);
    let pane = Rect { y: body.y.saturating_add(list), height: body.height - list, ..body };
    (Rect { height: list, ..body }, pane, false)
}

#[cfg(test)]
mod tests {
    use super::super::super::app::Options;
    use super::*;
    use proptest::prelude::*;

    fn layout(view: View, size: (u16, u16), pane: bool, expanded: bool) -> Layout {
        let mut app = App::new(size, Options { view, ..Options::default() });
        app.is_detail_open = pane;
        app.is_detail_expanded = expanded;
        Layout::new(&app, Rect::new(0, 0, size.0, size.1))
    }

    #[test]
    fn the_status_stays_longest() {
        for (height, expected) in [(0, [0, 0, 0, 0]), (1, [0, 0, 1, 0]), (2, [0, 1, 1, 0]), (3, [0, 1, 1, 1])]
        {
            let layout = layout(View::Traces, (40, height), false, false);
            let heights = [layout.tabs, layout.list, layout.status, layout.foot].map(|part| part.height);
            assert_eq!(heights, expected, "{height} lines");
        }
        assert_eq!(layout(View::Traces, (40, 4), false, false).tabs.height, 1);
    }

    #[test]
    fn the_pane_stands_beside_below_or_nowhere() {
        let beside = layout(View::Events, (140, 40), true, false);
        assert!(beside.is_beside && beside.pane.height == beside.list.height && beside.pane.width > 50);
        let below = layout(View::Events, (80, 24), true, false);
        assert!(!below.is_beside && below.pane.width == 80 && below.pane.height == 13);
        assert_eq!(layout(View::Events, (80, 9), true, false).pane.height, 0);
        assert_eq!(layout(View::Events, (80, 9), true, true).pane.height, 6);
        assert_eq!(layout(View::Operations, (140, 40), true, false).pane.height, 0);
    }

    proptest! {
        #[test]
        fn nothing_is_outside(width in 0..400_u16, height in 0..100_u16, pane in any::<bool>(), expanded in any::<bool>()) {
            for view in [View::Traces, View::File] {
                let area = Rect::new(0, 0, width, height);
                let layout = layout(view, (width, height), pane, expanded);
                let parts = [layout.tabs, layout.list, layout.pane, layout.status, layout.foot];
                for part in parts {
                    prop_assert_eq!(part.intersection(area), part);
                }
                let covered: u32 = parts.iter().map(|part| part.area()).sum();
                prop_assert_eq!(covered, area.area());
            }
        }
    }
}
