// hap-controller as the controller, without mDNS: reads JSON commands on stdin, prints one JSON line for each.
//
//   node hapcontroller_controller.js --modules DIR/node_modules
//
// The lines are those of aiohomekit_controller.py. Of its commands it knows pair (with `method`), transient (a pair-setup that ends
// after M4), accessories, get
// (with `options`), put, respond, subscribe, unsubscribe, pairings, add, remove, record, adopt, close and identify.
"use strict";

const path = require("path");
const readline = require("readline");

const modules = process.argv[process.argv.indexOf("--modules") + 1];
// Not by its index, which would load the Bluetooth half, too.
const HttpClient = require(path.join(modules, "hap-controller", "lib", "transport", "ip", "http-client")).default;

const TLV = { identifier: 0x01, publicKey: 0x03, permissions: 0x0b };
let client = null;
let place = null;

function say(line) {
  process.stdout.write(JSON.stringify(line) + "\n");
}

function rows(answer) {
  const list = (answer && answer.characteristics) || [];
  return Object.fromEntries(list.map((row) => [`${row.aid}.${row.iid}`, row]));
}

function open(pairing) {
  client = new HttpClient(place.device_id, place.host, place.port, pairing, { usePersistentConnections: true });
  client.on("event", (message) => {
    const values = Object.fromEntries(Object.entries(rows(message)).map(([id, row]) => [id, row.value]));
    say({ event: "changed", values });
  });
}

// A refusal of a part comes as an error with the rows of the answer in it.
async function lenient(promise) {
  try {
    return rows(await promise);
  } catch (error) {
    const body = Buffer.isBuffer(error.body) && error.body.length ? JSON.parse(error.body.toString()) : error.body;
    if (body && body.characteristics) {
      return rows(body);
    }
    throw error;
  }
}

function refused(found) {
  return Object.fromEntries(Object.entries(found).filter(([, row]) => row.status));
}

const commands = {
  async pair({ host, port, device_id, setup_code, method }) {
    place = { host, port, device_id };
    open(null);
    await (method === undefined ? client.pairSetup(setup_code) : client.pairSetup(setup_code, method));
    const data = client.getLongTermData();
    const text = (hex) => Buffer.from(hex, "hex").toString();
    return {
      accessory: text(data.AccessoryPairingID),
      controller: text(data.iOSDevicePairingID),
      ltpk: data.iOSDeviceLTPK,
    };
  },
  async transient({ host, port, device_id, setup_code }) {
    const other = new HttpClient(device_id, host, port);
    await other.pairSetup(setup_code, 0, 0x10);
    return true;
  },
  accessories: async () => (await client.getAccessories()).accessories,
  get: ({ ids, options }) => lenient(client.getCharacteristics(ids, options || {})),
  put: async ({ values }) => refused(await lenient(client.setCharacteristics(values))),
  async respond({ values }) {
    const wanted = Object.entries(values).map(([id, value]) => [id, { value, r: true }]);
    return await lenient(client.setCharacteristics(Object.fromEntries(wanted)));
  },
  subscribe: async ({ ids }) => refused(await lenient(client.subscribeCharacteristics(ids))),
  unsubscribe: async ({ ids }) => refused(await lenient(client.unsubscribeCharacteristics(ids))),
  async pairings() {
    // Its parser joins what has one number, so only a single row can be told apart.
    const tlv = await client.listPairings();
    return {
      pairingId: tlv.get(TLV.identifier).toString(),
      publicKey: tlv.get(TLV.publicKey).toString("hex"),
      permissions: tlv.get(TLV.permissions)[0],
    };
  },
  async add({ identifier, ltpk, admin }) {
    await client.addPairing(identifier, Buffer.from(ltpk, "hex"), admin);
    return true;
  },
  async remove({ identifier }) {
    const pairing = client.getLongTermData();
    const own = Buffer.from(pairing.iOSDevicePairingID, "hex");
    await client.removePairing(identifier ? Buffer.from(identifier) : own);
    // It closes the connection then, and would go on using it.
    open(pairing);
    return true;
  },
  record: async () => client.getLongTermData(),
  async adopt({ record, host, port, device_id }) {
    place = { host, port, device_id };
    open(record);
    return true;
  },
  async close() {
    await client.close();
    return true;
  },
  async identify({ host, port, device_id }) {
    place = { host, port, device_id };
    open(null);
    await client.identify();
    return true;
  },
};

async function carryOut(line) {
  const command = JSON.parse(line);
  if (command.do === "quit") {
    process.exit(0);
  }
  try {
    const result = await commands[command.do](command);
    say({ done: command.do, result: result === undefined ? null : result });
  } catch (error) {
    say({ failed: command.do, error: error.name, message: String(error.message) });
  }
}

let queue = Promise.resolve();
readline
  .createInterface({ input: process.stdin })
  .on("line", (line) => {
    queue = queue.then(() => carryOut(line));
  })
  .on("close", () => process.exit(0));
say({ event: "ready" });
