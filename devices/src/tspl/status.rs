//! The status byte a TSPL printer answers to `<ESC>!?`.

use thiserror::Error;

/// The query, three bytes and no line end.
pub const STATUS_QUERY: &[u8; 3] = b"\x1B!?";

const COVER_OPEN: u8 = 0x01;
const PAPER_JAM: u8 = 0x02;
const PAPER_OUT: u8 = 0x04;
const RIBBON_OUT: u8 = 0x08;
const PAUSED: u8 = 0x10;
const PRINTING: u8 = 0x20;

/// A status byte, as the printer sent it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Status(pub u8);

/// What keeps a printer from printing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum Problem {
    /// The head is lifted.
    #[error("the cover is open")]
    CoverOpen,
    /// Labels are stuck.
    #[error("paper jam")]
    PaperJam,
    /// No labels left.
    #[error("out of paper")]
    PaperOut,
    /// No ribbon left (thermal transfer only).
    #[error("out of ribbon")]
    RibbonOut,
    /// Someone pressed pause.
    #[error("paused")]
    Paused,
    /// Another fault; the byte tells which, by the maker's manual.
    #[error("printer fault, status byte {0:#04x}")]
    Other(u8),
}

impl Status {
    /// Ready, nothing wrong.
    pub const READY: Self = Self(0);

    /// The most pressing problem, or `None` when the printer is ready or busy printing.
    /// Several can be set at once; an open cover comes first since it hides the others.
    pub fn problem(self) -> Option<Problem> {
        let known = [
            (COVER_OPEN, Problem::CoverOpen),
            (PAPER_OUT, Problem::PaperOut),
            (PAPER_JAM, Problem::PaperJam),
            (RIBBON_OUT, Problem::RibbonOut),
            (PAUSED, Problem::Paused),
        ];
        if let Some((_, problem)) = known.iter().find(|(bit, _)| self.0 & bit != 0) {
            return Some(*problem);
        }
        (self.0 & !PRINTING != 0).then_some(Problem::Other(self.0))
    }
}

impl From<Problem> for Status {
    fn from(problem: Problem) -> Self {
        Self(match problem {
            Problem::CoverOpen => COVER_OPEN,
            Problem::PaperJam => PAPER_JAM,
            Problem::PaperOut => PAPER_OUT,
            Problem::RibbonOut => RIBBON_OUT,
            Problem::Paused => PAUSED,
            Problem::Other(byte) => byte,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_and_problems() {
        let table = [
            (0x00, None),
            (0x20, None),
            (0x01, Some(Problem::CoverOpen)),
            (0x02, Some(Problem::PaperJam)),
            (0x03, Some(Problem::CoverOpen)),
            (0x04, Some(Problem::PaperOut)),
            (0x05, Some(Problem::CoverOpen)),
            (0x08, Some(Problem::RibbonOut)),
            (0x10, Some(Problem::Paused)),
            (0x24, Some(Problem::PaperOut)),
            (0x80, Some(Problem::Other(0x80))),
        ];
        for (byte, problem) in table {
            assert_eq!(Status(byte).problem(), problem, "{byte:#04x}");
        }
    }

    #[test]
    fn each_problem_reads_back_from_its_byte() {
        for problem in [
            Problem::CoverOpen,
            Problem::PaperJam,
            Problem::PaperOut,
            Problem::RibbonOut,
            Problem::Paused,
            Problem::Other(0x80),
        ] {
            assert_eq!(Status::from(problem).problem(), Some(problem));
        }
    }
}
