//! Results of a laboratory as a sheet, over the API.

use super::*;

const HEADER: &str =
    "样品编号,批次号,检测项目,检测方法,符号,检测值,单位,检出限,检测日期,检测机构,报告编号";

impl World {
    async fn plan(&self, rows: &str) -> Value {
        let request = Request::post("/api/v1/tests/import")
            .header(header::AUTHORIZATION, format!("Bearer {}", self.token))
            .header(header::CONTENT_TYPE, "text/csv")
            .body(Body::from(format!("{HEADER}\n{rows}")));
        self.send(request.unwrap()).await.expect(200)
    }

    async fn accept(&self, plan: &Value) -> Value {
        let accept = format!("/tests/import/{}/accept", plan["id"].as_str().unwrap());
        self.post(&accept, json!({})).await.expect(200)
    }
}

async fn lot_no(world: &World) -> (String, String) {
    let [_, _, _, lot] = world.lot_of(cooperative()).await;
    let told = world.get(&format!("/lots/{lot}")).await.expect(200);
    (lot, told["no"].as_str().unwrap().to_owned())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sheet_of_results_is_checked_judged_and_written_once() {
    let world = world().await;
    let (lot, no) = lot_no(&world).await;
    let day = today();
    let good = format!(
        ",{no},有机磷,酶抑制率法,,16.54,%,,{day},县检测中心,R118\n\
         ,{no},有机磷,酶抑制率法,,78.1,%,,{day},县检测中心,R119\n"
    );
    let bad = format!(
        ",{no},有机磷,酶抑制率法,,16.540,%,,{day},县检测中心,R118\n\
         ,{no},毒死蜱,色谱/质谱,,0.05,,,{day},,\n\
         S19990101-0001,,毒死蜱,色谱/质谱,,ND,mg/kg,0.01,{day},,\n"
    );
    let plan = world.plan(&format!("{good}{bad}")).await;
    assert_eq!(plan["new"], json!(2), "{plan}");
    assert_eq!(plan["verdicts"], json!({ "pass": 1, "fail": 1, "invalid": 0 }));
    assert_eq!(plan["remarks"][0]["line"], json!(3));
    assert_eq!(plan["twice"], json!([{ "line": 4, "before": 2 }]));
    assert_eq!((&plan["bad"][0]["line"], &plan["bad"][1]["line"]), (&json!(5), &json!(6)));
    assert!(world.get("/tests").await.expect(200)["items"].as_array().unwrap().is_empty());

    let done = world.accept(&plan).await;
    assert_eq!((&done["added"], &done["known"]), (&json!(2), &json!(0)), "{done}");
    assert_eq!(done["verdicts"], json!({ "pass": 1, "fail": 1, "invalid": 0 }));
    assert_eq!(done["failed"], json!([]));
    let told = world.get(&format!("/lots/{lot}")).await.expect(200);
    assert_eq!(told["status"], json!("held"));

    let again = world.plan(&good).await;
    assert_eq!((&again["new"], &again["known"]), (&json!(0), &json!(2)), "{again}");
    // Both were checked before either was written.
    let more = good.replace("R118", "R120").replace("R119", "R121");
    let (first, second) = (world.plan(&more).await, world.plan(&more).await);
    assert_eq!(world.accept(&first).await["added"], json!(2));
    let second = world.accept(&second).await;
    assert_eq!((&second["added"], &second["known"]), (&json!(0), &json!(2)), "{second}");
}

#[tokio::test(flavor = "multi_thread")]
async fn two_people_with_the_same_sheet_write_it_once() {
    let mut world = world().await;
    let (_, no) = lot_no(&world).await;
    let day = today();
    let row = |n: u32| format!(",{no},有机磷,酶抑制率法,,{n}.5,%,,{day},县检测中心,R{n}\n");
    let rows: String = (1..=20).map(row).collect();
    let user = json!({ "username": "wang", "name": "王检", "role": "clerk", "password": INITIAL });
    world.post("/users", user).await.expect(201);
    let clerk = world.first_sign_in("wang").await;
    let admin = std::mem::replace(&mut world.token, clerk.clone());
    let one = world.plan(&rows).await;
    world.token = admin.clone();
    let other = world.plan(&rows).await;
    assert_eq!((&one["new"], &other["new"]), (&json!(20), &json!(20)), "{one} {other}");

    let accept = |plan: &Value, token: &str| {
        let path = format!("/api/v1/tests/import/{}/accept", plan["id"].as_str().unwrap());
        let request = Request::post(path).header(header::AUTHORIZATION, format!("Bearer {token}"));
        world.send(request.body(Body::empty()).unwrap())
    };
    let (one, twice, other) =
        tokio::join!(accept(&one, &clerk), accept(&one, &clerk), accept(&other, &admin));
    let (one, refused) = if one.status == 200 { (one, twice) } else { (twice, one) };
    assert_eq!(refused.problem(), (409, "import_gone".into()), "a plan is accepted once");
    let (one, other) = (one.expect(200), other.expect(200));
    let sum = |key: &str| one[key].as_u64().unwrap() + other[key].as_u64().unwrap();
    assert_eq!((sum("added"), sum("known")), (20, 20), "{one} {other}");
    assert_eq!((&one["failed"], &other["failed"]), (&json!([]), &json!([])));
    let tests = world.get("/tests?limit=100").await.expect(200);
    assert_eq!(tests["items"].as_array().unwrap().len(), 20);
}
