//! A certificate of each form, to vary: for the tests and for the samples.

use tianyin_documents::{BasisOption, CertificatePaper};

/// The wording of form 1 of 2026, as the form's data hold it.
pub const COMMITMENT: &str =
    "我承诺生产销售的食用农产品 未使用禁用农药、兽药及其他化合物;使用的常规农药、兽药残留不超标。";

pub fn options(all: &[(&str, bool)]) -> Vec<BasisOption> {
    all.iter().map(|&(text, ticked)| BasisOption { text: text.to_owned(), ticked }).collect()
}

pub fn certificate() -> CertificatePaper {
    CertificatePaper {
        title: "承诺达标合格证".to_owned(),
        form: "2026 样式一".to_owned(),
        commitment: COMMITMENT.to_owned(),
        commitment_items: Vec::new(),
        basis_options: options(&[
            ("质量安全控制符合要求", false),
            ("自行检测合格", true),
            ("委托检测合格", false),
        ]),
        product: "湘潭湘莲(干莲)".to_owned(),
        quantity: "500 公斤".to_owned(),
        origin: "湖南省湘潭县花石镇罗汉村".to_owned(),
        producer_label: "生产者".to_owned(),
        producer: "湘潭县花石镇示例莲业专业合作社".to_owned(),
        contact: "0731-57880000".to_owned(),
        issued_on: "2026-11-20".to_owned(),
        lot_no: String::new(),
        details: Vec::new(),
        code: "8K2M7Q4D9XPR3TWA".to_owned(),
        code_grouped: "8K2M-7Q4D-9XPR-3TWA".to_owned(),
        qr_text: "HTTPS://XIANGTAN.EXAMPLE.CN/T/8K2M7Q4D9XPR3TWA".to_owned(),
        proof_qr_text: None,
        county: "湘潭县".to_owned(),
        status_note: None,
    }
}

/// Form 2 of 2026.
pub fn form_of_buyers() -> CertificatePaper {
    CertificatePaper {
        form: "2026 样式二".to_owned(),
        commitment: "已按规定收取并保存该批次农产品承诺达标合格证或者其他质量安全合格证明;未违规使用保鲜剂、防腐剂、添加剂等。".to_owned(),
        producer_label: "收购者".to_owned(),
        ..certificate()
    }
}

/// The form of 2021: lines to tick, and four bases.
pub fn form_of_2021() -> CertificatePaper {
    CertificatePaper {
        form: "2021 样式".to_owned(),
        commitment: "我承诺对生产销售的食用农产品:".to_owned(),
        commitment_items: options(&[
            ("不使用禁用农药兽药、停用兽药和非法添加物", true),
            ("常规农药兽药残留不超标", true),
            ("对承诺的真实性负责", true),
        ]),
        basis_options: options(&[
            ("委托检测", false),
            ("自我检测", true),
            ("内部质量控制", false),
            ("自我承诺", true),
        ]),
        ..certificate()
    }
}

/// The form of 2019: lines to tick, no basis, another title.
pub fn form_of_2019() -> CertificatePaper {
    CertificatePaper {
        title: "食用农产品合格证".to_owned(),
        form: "2019 样式".to_owned(),
        commitment: "我承诺对产品质量安全以及合格证真实性负责:".to_owned(),
        commitment_items: options(&[
            ("不使用禁限用农药兽药", true),
            ("不使用非法添加物", true),
            ("遵守农药安全间隔期、兽药休药期规定", true),
            ("销售的食用农产品符合农药兽药残留食品安全国家强制性标准", true),
        ]),
        basis_options: Vec::new(),
        ..certificate()
    }
}
