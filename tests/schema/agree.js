// Holds the published JSON Schemas, as ajv reads them, against spool's own
// checker: on every generated case both must say yes or both no, and the fault
// our checker names must be among those ajv finds.
//
//   node agree.js CHECKER [SEED]
import { spawnSync } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import Ajv2020 from "ajv/dist/2020.js";

const MUTATIONS = 10000;
const BYTE_MUTATIONS = 5000;
const checker = process.argv[2];
const seed = Number(process.argv[3] ?? Math.floor(Math.random() * 2 ** 31));

// The schemas.

const folder = new URL("../../schema/events/", import.meta.url);
const ajv = new Ajv2020({
  allErrors: true,
  strictNumbers: false,
  strictTypes: false,
});
for (const file of readdirSync(folder).filter((f) => f.endsWith(".json"))) {
  ajv.addSchema(JSON.parse(readFileSync(new URL(file, folder))), file);
}
const validate = ajv.getSchema("event.json");

const classes = {
  required: "missing",
  minLength: "missing",
  type: "type",
  enum: "enum",
  const: "enum",
  anyOf: "enum",
  pattern: "format",
};

// All faults of an event in the checker's words, as "class path".
function faultsOf(event) {
  if (validate(event)) return [];
  const faults = validate.errors
    .filter((e) => e.keyword !== "if" && !e.schemaPath.includes("/anyOf/"))
    .map((e) => ({
      class: classes[e.keyword],
      path:
        e.instancePath +
        (e.keyword === "required" ? "/" + e.params.missingProperty : ""),
    }));
  const mistyped = new Set(
    faults.filter((f) => f.class === "type").map((f) => f.path),
  );
  return faults
    .filter((f) => f.class === "type" || !mistyped.has(f.path))
    .map((f) => `${f.class} ${f.path}`);
}

// The checker.

function check(lines) {
  const run = spawnSync(checker, {
    input: lines.join("\n") + "\n",
    encoding: "utf8",
    maxBuffer: 1 << 28,
  });
  if (run.status !== 0) throw new Error(`${checker}: ${run.stderr}`);
  const answers = run.stdout.trimEnd().split("\n");
  if (answers.length !== lines.length) throw new Error("answers are missing");
  return answers.map((line) => {
    const [fault, path, message] = line.split("\t");
    return { fault, path, message };
  });
}

// Complete events, one of each kind.

const common = {
  userId: "user-1",
  sessionId: "session-1",
  device: "PC",
  userAgent: "agent",
  lang: "TR",
  currency: "EUR",
  browser: "Chrome",
  os: "Linux",
  osversion: "6.1",
  pageUrl: "https://shop.example/",
  referrer: "",
  params: { a: "b" },
  testMode: false,
  nextPage: "false",
};
const line = { productId: "p", price: 1.5, currency: "EUR", quantity: 2.5 };
const profile = {
  username: "n",
  fullName: "Full Name",
  email: "e@shop.example",
  phone: "+90",
  gender: "F",
  age: 27,
  birthdate: "29.02.2000",
  memberSince: "31.12.2026",
  location: "l",
  segments: ["a"],
};
const checkout = {
  totalPrice: 9.99,
  orderNo: "o-1",
  cartUrl: "https://shop.example/cart",
  productList: [line, { ...line, productId: "q" }],
};
const texts = ["mUrl", "imageXS", "imageS", "imageM", "imageL", "imageXL"];
const complete = [
  { name: "PAGE_VIEW", category: "Home Page", subCategory: "a > b" },
  {
    name: "PRODUCT_VIEW",
    productId: "p",
    title: "t",
    inStock: "true",
    url: "u",
    image: "i",
    ...Object.fromEntries(texts.map((t) => [t, t])),
    category: "A > B",
    brand: "b",
    price: 349.99,
    oldPrice: 449.99,
    gender: "U",
    colors: ["red"],
    sizes: ["m"],
    labels: ["new"],
  },
  { name: "BASKET_OPERATIONS", step: "add", ...line },
  { name: "BASKET_OPERATIONS", step: "remove", ...line },
  ...["basket", "customer", "payment", "purchase"].map((step) => ({
    name: "CHECKOUT",
    step,
    ...checkout,
  })),
  { name: "USER_OPERATIONS", step: "signup", ...profile },
  { name: "USER_OPERATIONS", step: "signin", username: "n" },
  { name: "USER_OPERATIONS", step: "signout", username: "n" },
  {
    name: "USER_OPERATIONS",
    step: "update",
    ...profile,
    isRegistered: true,
    isLogin: "false",
  },
  { name: "CUSTOM_EVENT", type: "t" },
  { name: "INTERACTION" },
  { name: "USER_FORM" },
  { name: "BANNER_VIEW" },
  { name: "BANNER_OPERATIONS" },
].map((event) => ({ ...common, ...event }));

// Values that are wrong somewhere.

const values = [
  null, true, false, 0, 7, -1.5, "", " ", "x", "true", "yes", "7", "PC", "pc",
  "TR", "tr", "IT", "ITA", "EUR", "eur", "EURO", "E\u0421R", "M", "F", "U", "m",
  "add", "remove", "basket", "purchase", "signup", "update", "signin",
  "Chrome", "chrome", "Internet Explorer", "iOS", "Linux", "CHECKOUT",
  "PAGE_VIEW", "SEARCH", "29.02.2000", "29.02.2001", "29.02.1900",
  "31.04.2020", "00.01.2020", "01.00.2020", "01.13.2020", "30.02.2020",
  "31.12.9999", "01.01.0000", "01.01.0001", "1.1.2020", "2020-01-01",
  "01.01.2020 ", "\u0660\u0661.01.2020", "\u00e4", "\ud83d\ude00", "a\u0000b",
  [], ["a"], [[]], [{}], [null], [line], [{ productId: 7 }], {}, { a: 1 },
  { productId: "p" }, "a".repeat(40), 1e300, 12345678901234567890,
];

// Every place in an event: [the object, the member's name].
function placesIn(event) {
  const places = Object.keys(event).map((key) => [event, key]);
  const list = Array.isArray(event.productList) ? event.productList : [];
  list.forEach((product, i) => {
    places.push([list, i]);
    if (product !== null && typeof product === "object") {
      places.push(...Object.keys(product).map((key) => [product, key]));
    }
  });
  return places;
}

const copy = (event) => JSON.parse(JSON.stringify(event));
const cases = [];

// 1. Everything there, and each member gone.
for (const event of complete) {
  cases.push(event);
  placesIn(event).forEach((_, i) => {
    const less = copy(event);
    const [object, key] = placesIn(less)[i];
    if (Array.isArray(object)) object.splice(key, 1);
    else delete object[key];
    cases.push(less);
  });
}

// 2. What must be there, alone and with each other member. A member may go if
// the schema takes the event without it.
for (const event of complete) {
  const least = copy(event);
  for (const key of Object.keys(event)) {
    const { [key]: _, ...less } = least;
    if (faultsOf(less).length === 0) delete least[key];
  }
  cases.push(least);
  for (const key of Object.keys(event)) {
    cases.push({ ...least, [key]: event[key] });
  }
}

// 3. Each member with each value that may be wrong.
for (const event of complete) {
  placesIn(event).forEach((_, i) => {
    for (const value of values) {
      const other = copy(event);
      const [object, key] = placesIn(other)[i];
      object[key] = value;
      cases.push(other);
    }
  });
}

// 4. Every day of the years that matter, and some that do not exist.
const signup = complete.find((event) => event.step === "signup");
const two = (n) => String(n).padStart(2, "0");
for (const year of ["0000", "0001", "0004", "0100", "0400", "1900", "1999",
  "2000", "2004", "2026", "2100", "9999"]) {
  for (let month = 0; month <= 13; month++) {
    for (let day = 0; day <= 32; day++) {
      const birthdate = `${two(day)}.${two(month)}.${year}`;
      cases.push({ ...signup, birthdate });
    }
  }
}
const systematic = cases.length;

// 5. Several things at once, at random.
let state = seed;
function random(below) {
  state = (state + 0x6d2b79f5) | 0;
  let t = Math.imul(state ^ (state >>> 15), 1 | state);
  t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
  return Math.floor((((t ^ (t >>> 14)) >>> 0) / 2 ** 32) * below);
}
const pick = (list) => list[random(list.length)];

function swapCase(key) {
  const c = key[0];
  return (c === c.toLowerCase() ? c.toUpperCase() : c.toLowerCase()) +
    key.slice(1);
}

function mutate(event) {
  const [object, key] = pick(placesIn(event));
  switch (random(Array.isArray(object) ? 2 : 5)) {
    case 0:
      object[key] = pick(values);
      break;
    case 1:
      if (Array.isArray(object)) object.splice(key, 1);
      else delete object[key];
      break;
    case 2: {
      const other = pick(complete);
      const from = pick(Object.keys(other));
      object[from] = copy(other)[from];
      break;
    }
    case 3:
      object[swapCase(key)] = object[key];
      delete object[key];
      break;
    case 4:
      object["x" + random(100)] = pick(values);
      break;
  }
}

for (let i = 0; i < MUTATIONS; i++) {
  const event = copy(pick(complete));
  for (let n = 1 + random(3); n > 0 && Object.keys(event).length > 0; n--) {
    mutate(event);
  }
  cases.push(event);
}
cases.push(null, 7, "x", true, [], [complete[0]], {});

// 6. Bytes at random: there JSON.parse is the second opinion.
const lines = cases.map((event) => JSON.stringify(event));
const bytes = " \t{}[]:,\"\\/'0123456789+-.eEtrufalsn\u0001\u007f";
for (let i = 0; i < BYTE_MUTATIONS; i++) {
  let text = JSON.stringify(pick(complete));
  for (let n = 1 + random(2); n > 0; n--) {
    const at = random(text.length);
    text = text.slice(0, at) + (random(3) > 0 ? pick(bytes) : "") +
      text.slice(at + random(2));
  }
  lines.push(text);
}

// The verdicts.

const seen = {};
let disagreements = 0;
function disagree(text, ours, theirs) {
  disagreements++;
  if (disagreements <= 10) {
    console.error(`${text}\n  checker: ${ours.fault} ${ours.path} ` +
      `(${ours.message})\n  ajv: ${theirs.join(", ") || "ok"}`);
  }
}

const answers = check(lines);
lines.forEach((text, i) => {
  const ours = answers[i];
  seen[ours.fault] = (seen[ours.fault] ?? 0) + 1;
  let theirs;
  try {
    theirs = faultsOf(JSON.parse(text));
  } catch {
    theirs = ["syntax "];
  }
  // JSON.parse lets the last of two members win.
  if (/comes twice/.test(ours.message)) return;
  const agree = ours.fault === "ok"
    ? theirs.length === 0
    : theirs.includes(`${ours.fault} ${ours.path}`);
  if (!agree) disagree(text, ours, theirs);
});

// A test that never sees a fault finds none.
for (const fault of ["ok", "missing", "type", "enum", "format", "syntax"]) {
  if (!(seen[fault] >= 100)) {
    console.error(`only ${seen[fault] ?? 0} cases of class ${fault}`);
    disagreements++;
  }
}

console.log(`seed ${seed}: ${systematic} systematic cases, ${MUTATIONS} ` +
  `mutations, ${BYTE_MUTATIONS} byte mutations; ` +
  Object.entries(seen).map(([f, n]) => `${n} ${f}`).join(", "));
if (disagreements > 0) {
  console.error(`${disagreements} disagreements; repeat with seed ${seed}`);
  process.exit(1);
}
