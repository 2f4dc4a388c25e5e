//! What the demo county holds. Invented; intervals are examples, the label's own decide.

use super::{ActivityKind, InputKind, OperatorKind, ProductClass};

/// Kind, days before today, input name, dose, note.
pub(super) type Step = (ActivityKind, i64, &'static str, &'static str, &'static str);

/// What an operator grows.
pub(super) struct Plan {
    pub site: &'static str,
    pub size_mu: i64,
    /// A corner of it; the plot is drawn as a square of its size.
    pub at: &'static str,
    pub product: &'static str,
    pub class: ProductClass,
    pub crop: &'static str,
    pub variety: &'static str,
    pub steps: &'static [Step],
    pub lots: &'static [i64],
    pub authorised: bool,
    pub auto_issue: bool,
}

/// A demo operator.
pub(super) struct Farm {
    pub name: &'static str,
    pub kind: OperatorKind,
    pub town: &'static str,
    pub approved: bool,
    pub plan: Option<Plan>,
}

type InputRow = (&'static str, InputKind, &'static [&'static str], &'static [(&'static str, u32)]);

/// Inputs of the catalogue: name, kind, substances, intervals by crop.
pub(super) const INPUTS: &[InputRow] = &[
    (
        "示例 40% 辛硫磷乳油",
        InputKind::Pesticide,
        &["辛硫磷"],
        &[("莲", 15), ("白菜", 7), ("辣椒", 7)],
    ),
    ("示例 25% 吡蚜酮悬浮剂", InputKind::Pesticide, &["吡蚜酮"], &[("莲", 14), ("水稻", 14)]),
    ("示例 80% 敌百虫可溶粉剂", InputKind::Pesticide, &["敌百虫"], &[("白菜", 7), ("柑橘", 20)]),
    ("示例商品有机肥", InputKind::Fertiliser, &[], &[]),
    ("示例复合肥 15-15-15", InputKind::Fertiliser, &[], &[]),
    ("示例淡水鱼配合饲料", InputKind::Feed, &[], &[]),
];

use ActivityKind::{Fertilising, Harvest, Planting, Processing, Treatment};

/// Operators of every kind, with what they grow.
pub(super) const FARMS: &[Farm] = &[
    Farm {
        name: "示例莲业专业合作社",
        kind: OperatorKind::Cooperative,
        town: "花石镇",
        approved: true,
        plan: Some(Plan {
            site: "花石一号莲田",
            size_mu: 36,
            at: "112.873512,27.463018",
            product: "湘潭湘莲(鲜莲)",
            class: ProductClass::Vegetable,
            crop: "莲",
            variety: "寸三莲",
            steps: &[
                (Planting, 210, "", "", "定植寸三莲种藕"),
                (Fertilising, 195, "示例商品有机肥", "400 公斤/亩", ""),
                (Treatment, 60, "示例 40% 辛硫磷乳油", "60 毫升/亩", "防治斜纹夜蛾"),
                (Harvest, 1, "", "", "人工采摘莲蓬"),
            ],
            lots: &[500, 320],
            authorised: true,
            auto_issue: true,
        }),
    },
    Farm {
        name: "示例湘江源蔬菜有限公司",
        kind: OperatorKind::Enterprise,
        town: "易俗河镇",
        approved: true,
        plan: Some(Plan {
            site: "易俗河蔬菜基地二区",
            size_mu: 120,
            at: "112.957340,27.761205",
            product: "小白菜",
            class: ProductClass::Vegetable,
            crop: "白菜",
            variety: "上海青",
            steps: &[
                (Planting, 45, "", "", "直播"),
                (Fertilising, 40, "示例复合肥 15-15-15", "20 公斤/亩", ""),
                (Treatment, 15, "示例 80% 敌百虫可溶粉剂", "80 克/亩", "防治菜青虫"),
                (Harvest, 1, "", "", "机械采收"),
            ],
            lots: &[1800],
            authorised: true,
            auto_issue: false,
        }),
    },
    Farm {
        name: "示例家庭农场",
        kind: OperatorKind::FamilyFarm,
        town: "石潭镇",
        approved: true,
        plan: Some(Plan {
            site: "石潭柑橘园",
            size_mu: 58,
            at: "112.731846,27.792430",
            product: "柑橘",
            class: ProductClass::Fruit,
            crop: "柑橘",
            variety: "宫川",
            steps: &[
                (Fertilising, 90, "示例商品有机肥", "300 公斤/亩", ""),
                (Treatment, 10, "示例 80% 敌百虫可溶粉剂", "100 克/亩", "防治蚧壳虫"),
                (Harvest, 1, "", "", "分批采摘"),
            ],
            lots: &[900],
            authorised: false,
            auto_issue: false,
        }),
    },
    Farm {
        name: "示例农户甲",
        kind: OperatorKind::Farmer,
        town: "花石镇",
        approved: true,
        plan: Some(Plan {
            site: "屋后菜地",
            size_mu: 2,
            at: "112.846103,27.612877",
            product: "辣椒",
            class: ProductClass::Vegetable,
            crop: "辣椒",
            variety: "线椒",
            steps: &[
                (Planting, 120, "", "", "移栽"),
                (Fertilising, 100, "示例商品有机肥", "200 公斤/亩", ""),
                (Harvest, 1, "", "", ""),
            ],
            lots: &[60],
            authorised: true,
            auto_issue: false,
        }),
    },
    Farm {
        name: "示例水产养殖合作社",
        kind: OperatorKind::Cooperative,
        town: "茶恩寺镇",
        approved: true,
        plan: Some(Plan {
            site: "茶恩寺三号塘",
            size_mu: 25,
            at: "112.802219,27.689954",
            product: "草鱼",
            class: ProductClass::Aquatic,
            crop: "草鱼",
            variety: "",
            steps: &[
                (Planting, 300, "", "", "投放鱼种"),
                (Fertilising, 200, "示例淡水鱼配合饲料", "按鱼体重 3%", "投喂"),
                (Harvest, 1, "", "", "拉网捕捞"),
            ],
            lots: &[2600],
            authorised: true,
            auto_issue: false,
        }),
    },
    Farm {
        name: "示例禽业有限公司",
        kind: OperatorKind::Enterprise,
        town: "杨嘉桥镇",
        approved: true,
        plan: Some(Plan {
            site: "杨嘉桥蛋鸡场",
            size_mu: 18,
            at: "112.905437,27.705311",
            product: "鲜鸡蛋",
            class: ProductClass::Egg,
            crop: "蛋鸡",
            variety: "",
            steps: &[(Planting, 400, "", "", "引进青年鸡"), (Processing, 1, "", "", "清洗分级")],
            lots: &[750],
            authorised: false,
            auto_issue: false,
        }),
    },
    Farm {
        name: "示例茶业村集体经济合作社",
        kind: OperatorKind::Collective,
        town: "乌石镇",
        approved: false,
        plan: None,
    },
    Farm {
        name: "示例收购站",
        kind: OperatorKind::Buyer,
        town: "中路铺镇",
        approved: false,
        plan: None,
    },
    Farm {
        name: "示例农产品批发市场",
        kind: OperatorKind::WholesaleMarket,
        town: "易俗河镇",
        approved: true,
        plan: None,
    },
    Farm {
        name: "示例连锁超市",
        kind: OperatorKind::Supermarket,
        town: "易俗河镇",
        approved: true,
        plan: None,
    },
    Farm {
        name: "示例中学食堂",
        kind: OperatorKind::Canteen,
        town: "河口镇",
        approved: true,
        plan: None,
    },
];
