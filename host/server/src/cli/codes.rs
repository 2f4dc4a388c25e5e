//! `codes …`: the table that tells in which city a visitor is. It is a file of the data folder, which a
//! running service reads again by itself.

use std::fs::File;
use std::io::BufReader;
use std::path::PathBuf;

use anyhow::Context as _;
use clap::Subcommand;
use tianyin_domain::time::china_minute;

use super::out::say;
use super::{Place, quiet_logs, reach};
use crate::app::area_rows::{self, Taken};
use crate::app::scan_areas::ScanAreas;

/// Unknown names that are shown.
const NAMES_SHOWN: usize = 20;

#[derive(Subcommand)]
pub(crate) enum CodesVerb {
    /// 导入 IP 地址段对应的地市,供扫码异常提醒使用;运行中的服务一分钟内生效 / Import the cities of address
    /// ranges, for warnings of copied labels; a running service takes them within a minute
    ImportAreas {
        #[command(flatten)]
        place: Place,
        /// 每行“起始地址,结束地址,地区代码”、“网段/位数,地区代码”,或 ip2region 的文本格式 / Rows first,last,area or
        /// network/bits,area or the text form of ip2region
        file: PathBuf,
    },
    /// 地址段表有多少段、何时导入 / How many ranges there are, and since when
    Areas {
        #[command(flatten)]
        place: Place,
    },
}

impl CodesVerb {
    pub(crate) fn run(self) -> anyhow::Result<()> {
        quiet_logs();
        match self {
            Self::ImportAreas { place, file } => {
                let config = place.load()?;
                reach::must_exist(&config)?;
                reach::ours(&config)?;
                let input = File::open(&file).with_context(|| file.display().to_string())?;
                let taken = area_rows::read(BufReader::new(input))
                    .with_context(|| file.display().to_string())?;
                anyhow::ensure!(
                    taken.table.ranges() > 0,
                    "{} 里没有能认出地市的行 / no row of a known city",
                    file.display()
                );
                taken.table.save(&config.data)?;
                tell(&taken);
            }
            Self::Areas { place } => {
                let config = place.load()?;
                reach::must_exist(&config)?;
                let told = ScanAreas::open(&config.data).told();
                match told.at {
                    Some(at) => {
                        say!("{} 段 / ranges, {}", told.ranges, china_minute(at));
                    }
                    None => say!("还没有导入 / none imported yet"),
                }
            }
        }
        Ok(())
    }
}

fn tell(taken: &Taken) {
    let Taken { rows, elsewhere, fine, unknown_rows, .. } = taken;
    say!("{rows} 行,合并为 {ranges} 段 / rows, ranges", ranges = taken.table.ranges());
    say!("{elsewhere} 行不在国内或没有地市 / rows of other countries, or of no city");
    if *fine > 0 {
        say!("{fine} 行 IPv6 比 /48 更细,未采用 / rows of IPv6 finer than /48, left out");
    }
    if *unknown_rows > 0 {
        say!("{unknown_rows} 行的地市不认识,未采用 / rows of unknown cities, left out:");
        let mut names: Vec<(&String, &usize)> = taken.unknown.iter().collect();
        names.sort_by_key(|(_, count)| std::cmp::Reverse(**count));
        for (name, count) in names.into_iter().take(NAMES_SHOWN) {
            say!("  {count}\t{name}");
        }
    }
}
