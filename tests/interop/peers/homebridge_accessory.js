// Homebridge with the plugin homebridge-bench: a bridge with one light, on an address, announced by its own mDNS.
//
//   node homebridge_accessory.js --modules DIR/node_modules --state DIR [--setup-code 031-45-154] [--host 127.0.0.1]
//
// Prints JSON lines and reads commands as happython_accessory.py does; what Homebridge itself says goes to stderr.
"use strict";

const fs = require("fs");
const net = require("net");
const path = require("path");

const options = { "--setup-code": "031-45-154", "--host": "127.0.0.1" };
for (let i = 2; i < process.argv.length; i += 2) {
  options[process.argv[i]] = process.argv[i + 1];
}
const host = options["--host"];
const DEVICE_ID = "2A:2B:3C:4D:5E:70";

global.benchSay = (event, rest) => process.stdout.write(JSON.stringify({ event, ...rest }) + "\n");
for (const way of ["log", "info", "warn", "error", "debug"]) {
  console[way] = (...words) => process.stderr.write(words.join(" ") + "\n");
}

const { Accessory } = require(path.join(options["--modules"], "hap-nodejs"));
const publish = Accessory.prototype.publish;
Accessory.prototype.publish = function (info, ...rest) {
  this.on("paired", () => global.benchSay("paired", { ok: true }));
  this.on("unpaired", () => global.benchSay("unpaired", {}));
  this.on("listening", (port) => {
    const ids = {};
    const wanted = { on: "On", brightness: "Brightness", button: "Programmable Switch Event" };
    for (const accessory of this.bridgedAccessories) {
      for (const service of accessory.services) {
        for (const one of service.characteristics) {
          for (const [name, called] of Object.entries(wanted)) {
            if (one.displayName === called) {
              ids[name] = `${accessory.aid}.${one.iid}`;
            }
          }
        }
      }
    }
    const setup_code = options["--setup-code"];
    global.benchSay("listening", { host, port, device_id: DEVICE_ID, setup_code, setup_uri: this.setupURI(), ids });
  });
  return publish.call(this, info, ...rest);
};

const trial = net.createServer();
trial.listen(0, host, () => {
  const { port } = trial.address();
  trial.close(() => {
    const bridge = {
      name: "Bench bridge",
      username: DEVICE_ID,
      pin: options["--setup-code"],
      port,
      bind: [host],
      advertiser: "ciao",
    };
    const config = { bridge, accessories: [{ accessory: "Bench", name: "Bench light" }], platforms: [] };
    fs.writeFileSync(path.join(options["--state"], "config.json"), JSON.stringify(config));
    const plugin = path.join(__dirname, "homebridge-bench");
    process.argv = [...process.argv.slice(0, 2), "-U", options["--state"], "-P", plugin, "--strict-plugin-resolution", "-Q"];
    require(path.join(options["--modules"], "homebridge", "lib", "cli"))();
  });
});
