// Verifies offline proofs in the browser, without the network: SM2 with SM3 by sm-crypto, whose sm2 and sm3 stand
// before this in the page. The keys and every text come with the page.
(function () {
  "use strict";

  var main = document.getElementById("verify");
  var texts = JSON.parse(main.getAttribute("data-texts"));
  var labels = JSON.parse(main.getAttribute("data-labels"));
  var words = JSON.parse(main.getAttribute("data-words"));
  var keys = JSON.parse(main.getAttribute("data-keys"));

  var PROOF_CHARS_MAX = 16 * 1024;
  var PROOFS_MAX = 100;
  var KEYS_MAX = 1000;
  var FILE_BYTES_MAX = 4 * 1024 * 1024;
  // SubjectPublicKeyInfo of an SM2 key up to its point: id-ecPublicKey, curve 1.2.156.10197.1.301.
  var SPKI = "3059301306072a8648ce3d020106082a811ccf5501822d034200";

  function hex(bytes) {
    var out = "";
    for (var i = 0; i < bytes.length; i++) {
      out += (bytes[i] < 16 ? "0" : "") + bytes[i].toString(16);
    }
    return out;
  }

  function bytesOf(binary) {
    var out = [];
    for (var i = 0; i < binary.length; i++) {
      out.push(binary.charCodeAt(i));
    }
    return out;
  }

  // Base64url without padding, in its one spelling; null for anything else.
  function decoded(text) {
    if (!/^[A-Za-z0-9_-]+$/.test(text) || text.length % 4 === 1) {
      return null;
    }
    var plain = text.replace(/-/g, "+").replace(/_/g, "/");
    var binary = atob(plain);
    return btoa(binary).replace(/=+$/, "") === plain ? bytesOf(binary) : null;
  }

  // The civil date in China of an instant.
  function chinaDay(time) {
    return new Date(Date.parse(time) + 8 * 3600 * 1000).toISOString().slice(0, 10);
  }

  function fill(text, values) {
    return text.replace(/\{(\w+)\}/g, function (_, name) {
      return values[name];
    });
  }

  // A key of a PEM, with its point and fingerprint; null when it is not of SM2.
  function keyOf(pem) {
    var inner = /-----BEGIN PUBLIC KEY-----([A-Za-z0-9+/=\s]+)-----END PUBLIC KEY-----/.exec(pem);
    var der;
    try {
      der = bytesOf(atob(inner[1].replace(/\s/g, "")));
    } catch (e) {
      return null;
    }
    var text = hex(der);
    var point = text.slice(SPKI.length);
    if (text.slice(0, SPKI.length) !== SPKI || !/^04[0-9a-f]{128}$/.test(point)) {
      return null;
    }
    return { point: point, fingerprint: self.sm3(der).slice(0, 16), from: null, to: null, compromised: false };
  }

  function timed(key, told) {
    [told.from, told.to].forEach(function (time) {
      if (time && isNaN(Date.parse(time))) {
        throw new Error("no time: " + time);
      }
    });
    key.from = told.from || null;
    key.to = told.to || null;
    key.compromised = told.compromised === true;
    return key;
  }

  // Published keys: one PEM, several with comments, or the history as JSON.
  function readKeys(text) {
    var read = [];
    if (text.trim()[0] === "[") {
      JSON.parse(text).forEach(function (row) {
        read.push(timed(keyOf(row.pem), row));
      });
    } else {
      var parts = text.split("-----BEGIN PUBLIC KEY-----");
      for (var i = 1; i < parts.length; i++) {
        var key = keyOf("-----BEGIN PUBLIC KEY-----" + parts[i]);
        // The comment stands before the key, which is after the end of the one before.
        var comment = /# fingerprint \S+ from (\S+) to (\S+)( compromised)?\s*$/.exec(parts[i - 1]);
        var time = function (text) {
          return text === "-" ? null : text;
        };
        read.push(comment ? timed(key, { from: time(comment[1]), to: time(comment[2]), compromised: !!comment[3] }) : key);
      }
    }
    if (read.length === 0 || read.length > KEYS_MAX || read.indexOf(null) >= 0) {
      throw new Error("no keys");
    }
    return read;
  }

  keys = keys.map(function (row) {
    return timed(keyOf(row.pem), row);
  });

  // What comes of a proof: a flaw or none, and what was signed by which key.
  function judge(proof) {
    var parts = proof.split(".");
    if (proof.length > PROOF_CHARS_MAX || parts.length !== 3 || parts[0] !== "TY1") {
      return { flaw: "not_a_proof" };
    }
    var fields = decoded(parts[1]);
    var signature = decoded(parts[2]);
    if (!fields || !signature) {
      return { flaw: "not_a_proof" };
    }
    var der = hex(signature);
    var key = keys.find(function (key) {
      return self.sm2.doVerifySignature(fields, der, key.point, { der: true, hash: true });
    });
    if (!key) {
      return { flaw: "no_key_fits" };
    }
    var content;
    try {
      content = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(new Uint8Array(fields)));
    } catch (e) {
      content = null;
    }
    var day = content && content.issued_on;
    if (typeof day !== "string" || !/^\d{4}-\d{2}-\d{2}$/.test(day)) {
      return { flaw: "no_certificate", key: key };
    }
    var early = key.from && day < chinaDay(key.from);
    var late = key.to && day > chinaDay(key.to);
    return { flaw: early || late ? "outside_period" : null, key: key, content: content };
  }

  // A proof may have been wrapped on its way: what does not begin one goes on with the one before.
  function proofsOf(text) {
    var proofs = [];
    text.split(/\r?\n/).forEach(function (line) {
      line = line.replace(/[\s\ufeff]+/g, "");
      if (line === "") {
        return;
      }
      if (proofs.length === 0 || line.slice(0, 4) === "TY1.") {
        proofs.push(line);
      } else {
        proofs[proofs.length - 1] += line;
      }
    });
    return proofs;
  }

  function element(name, className, text) {
    var made = document.createElement(name);
    if (className) {
      made.className = className;
    }
    if (text !== undefined) {
      made.textContent = text;
    }
    return made;
  }

  // The words of the form stand for their codes.
  function shown(name, value) {
    var list = Array.isArray(value) ? value : [value];
    return list.map(function (one) {
      var text = typeof one === "string" ? one : JSON.stringify(one);
      var known = words[name] || {};
      return Object.prototype.hasOwnProperty.call(known, text) ? known[text] : text;
    }).join("、");
  }

  function row(list, label, value, className) {
    list.appendChild(element("dt", "", label));
    list.appendChild(element("dd", className, value));
  }

  function periodOf(key) {
    var values = { from: key.from ? chinaDay(key.from) : "", to: key.to ? chinaDay(key.to) : "" };
    if (!key.from) {
      return texts.no_period;
    }
    return fill(key.to ? texts.between : texts.since, values);
  }

  function card(judged) {
    var doubtful = !judged.flaw && judged.key.compromised;
    var kind = judged.flaw ? "bad" : doubtful ? "doubt" : "good";
    var made = element("section", "verdict-card " + kind);
    var head = judged.flaw ? texts.not_valid : doubtful ? texts.doubtful_head : texts.valid;
    var sign = judged.flaw ? "✗ " : doubtful ? "! " : "✓ ";
    made.appendChild(element("h2", "", sign + head));
    made.setAttribute("data-verdict", judged.flaw || (doubtful ? "doubtful" : "valid"));
    if (judged.flaw) {
      made.appendChild(element("p", "", texts[judged.flaw]));
    }
    if (judged.key && judged.key.compromised) {
      made.appendChild(element("p", "", texts.doubtful));
    }
    var list = element("dl");
    var content = judged.content || {};
    var known = labels.map(function (pair) {
      return pair[0];
    });
    labels.forEach(function (pair) {
      if (content[pair[0]] !== undefined) {
        row(list, pair[1], shown(pair[0], content[pair[0]]));
      }
    });
    Object.keys(content).forEach(function (name) {
      if (known.indexOf(name) < 0) {
        row(list, name, shown(name, content[name]));
      }
    });
    if (judged.key) {
      var whose = judged.key.pasted ? texts.script_pasted + " " : "";
      row(list, texts.key, whose + judged.key.fingerprint + " · " + periodOf(judged.key), "code");
    }
    if (list.firstChild) {
      made.appendChild(list);
    }
    if (!judged.flaw) {
      made.appendChild(element("p", "later", texts.not_later));
    }
    return made;
  }

  var form = document.getElementById("form");
  var field = document.getElementById("proof");
  var results = document.getElementById("results");
  var note = document.getElementById("note");

  function say(text) {
    note.textContent = text;
    note.hidden = !text;
  }

  function check() {
    var proofs = proofsOf(field.value);
    say(proofs.length > PROOFS_MAX ? texts.script_too_many : "");
    results.textContent = "";
    (proofs.length ? proofs.slice(0, PROOFS_MAX) : [""]).forEach(function (proof) {
      results.appendChild(card(judge(proof)));
    });
    results.scrollIntoView({ block: "nearest" });
  }

  function readText(file, then) {
    if (file.size > FILE_BYTES_MAX) {
      say(texts.script_too_large);
      return;
    }
    var reader = new FileReader();
    reader.onload = function () {
      then(reader.result);
    };
    reader.readAsText(file);
  }

  var canRead = typeof self.BarcodeDetector === "function" && typeof self.createImageBitmap === "function";

  function readPicture(file) {
    if (!canRead) {
      say(texts.script_no_camera);
      return;
    }
    self.createImageBitmap(file).then(
      function (picture) {
        return new self.BarcodeDetector({ formats: ["qr_code"] }).detect(picture).then(function (codes) {
          var found = codes.map(function (code) {
            return code.rawValue;
          });
          found = found.filter(function (text) {
            return text.slice(0, 4) === "TY1.";
          });
          if (found.length === 0) {
            say(texts.script_no_code);
            return;
          }
          field.value = found.join("\n");
          check();
        });
      }
    ).catch(function () {
      say(texts.script_bad_picture);
    });
  }

  function take(file) {
    if (!file) {
      return;
    }
    if (/^image\//.test(file.type)) {
      readPicture(file);
      return;
    }
    readText(file, function (text) {
      field.value = text;
      check();
    });
  }

  form.addEventListener("submit", function (event) {
    event.preventDefault();
    check();
  });
  ["file", "photo"].forEach(function (id) {
    var input = document.getElementById(id);
    input.addEventListener("change", function () {
      take(input.files[0]);
      input.value = "";
    });
  });
  if (!canRead) {
    document.getElementById("photo-label").hidden = true;
    document.getElementById("no-camera").hidden = false;
  }
  form.addEventListener("dragover", function (event) {
    event.preventDefault();
  });
  form.addEventListener("drop", function (event) {
    event.preventDefault();
    take(event.dataTransfer.files[0]);
  });

  document.getElementById("other").addEventListener("submit", function (event) {
    event.preventDefault();
    var told = document.getElementById("other-note");
    told.hidden = false;
    var read;
    try {
      read = readKeys(document.getElementById("other-keys").value);
    } catch (e) {
      told.textContent = texts.script_keys_bad;
      return;
    }
    var known = keys.map(function (key) {
      return key.fingerprint;
    });
    var added = read.filter(function (key) {
      return known.indexOf(key.fingerprint) < 0;
    });
    added.forEach(function (key) {
      key.pasted = true;
    });
    keys = keys.concat(added);
    told.textContent = fill(texts.script_keys_added, { count: added.length });
  });

  // A link may bring the proof along; what follows the # is never sent.
  if (location.hash.slice(0, 5) === "#TY1.") {
    field.value = location.hash.slice(1);
    check();
  }
})();
