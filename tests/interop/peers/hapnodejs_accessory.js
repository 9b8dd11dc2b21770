// HAP-NodeJS as the accessory: a light, a button, a lock and an echo, on 127.0.0.1, without mDNS; with it on `--host`.
//
//   node hapnodejs_accessory.js --modules DIR/node_modules --state DIR [--setup-code 031-45-154] [--host ADDRESS]
//
// Prints JSON lines and reads commands exactly as happython_accessory.py does.
"use strict";

const path = require("path");
const { EventEmitter } = require("events");
const readline = require("readline");

const options = { "--setup-code": "031-45-154" };
for (let i = 2; i < process.argv.length; i += 2) {
  options[process.argv[i]] = process.argv[i + 1];
}

function say(event, rest) {
  process.stdout.write(JSON.stringify({ event, ...rest }) + "\n");
}

const library = path.join(options["--modules"], "hap-nodejs");
const hap = require(library);
const { Accessory, Categories, Characteristic, HAPStorage, Perms, Formats, Service, uuid } = hap;

// Its advertiser is replaced by one that sends nothing.
class SilentAdvertiser extends EventEmitter {
  initPort() {}
  async startAdvertising() {}
  updateAdvertisement() {}
  async destroy() {}
}
SilentAdvertiser.protocolVersionService = "1.1.0";
const address = options["--host"] || "127.0.0.1";
if (!options["--host"]) {
  require(path.join(library, "dist/lib/Advertiser.js")).CiaoAdvertiser = SilentAdvertiser;
}

// It would listen on every address of the machine, whatever it is told.
const { HAPServer } = require(path.join(library, "dist/lib/HAPServer.js"));
const listen = HAPServer.prototype.listen;
HAPServer.prototype.listen = function (port) {
  return listen.call(this, port, address);
};

HAPStorage.setCustomStoragePath(options["--state"]);

const accessory = new Accessory("Bench", uuid.generate("hapcore:interop:bench"));
const light = accessory.addService(Service.Lightbulb);
const button = accessory.addService(Service.StatelessProgrammableSwitch);
const lock = accessory.addService(Service.LockMechanism);
const echo = new Characteristic("Echo", "C0FFEE00-0000-4000-8000-0000000000E0", {
  format: Formats.STRING,
  perms: [Perms.PAIRED_READ, Perms.PAIRED_WRITE, Perms.WRITE_RESPONSE],
});
echo.value = "";
light.addCharacteristic(echo);
const names = {
  on: light.getCharacteristic(Characteristic.On),
  brightness: light.getCharacteristic(Characteristic.Brightness),
  button: button.getCharacteristic(Characteristic.ProgrammableSwitchEvent),
  lock_target: lock.getCharacteristic(Characteristic.LockTargetState),
  echo,
};
names.brightness.updateValue(40);
names.lock_target.setProps({
  perms: [Perms.PAIRED_READ, Perms.PAIRED_WRITE, Perms.NOTIFY, Perms.TIMED_WRITE],
});
for (const name of ["on", "brightness", "lock_target"]) {
  names[name].onSet((value) => say("written", { name, value }));
}
echo.onSet((value) => {
  say("written", { name: "echo", value });
  return value.split("").reverse().join("");
});

accessory.configureController(
  new hap.CameraController({
    cameraStreamCount: 1,
    delegate: {
      handleSnapshotRequest(request, callback) {
        if (request.width === 13) {
          callback(hap.HAPStatus.NOT_ALLOWED_IN_CURRENT_STATE);
        } else {
          callback(undefined, Buffer.concat([Buffer.from([0xff, 0xd8]), Buffer.from(`${request.width} by ${request.height}`)]));
        }
      },
      prepareStream(request, callback) {
        callback(new Error("nobody streams here"));
      },
      handleStreamRequest(request, callback) {
        callback(new Error("nobody streams here"));
      },
    },
    streamingOptions: {
      supportedCryptoSuites: [hap.SRTPCryptoSuites.AES_CM_128_HMAC_SHA1_80],
      video: {
        codec: { profiles: [hap.H264Profile.BASELINE, hap.H264Profile.MAIN], levels: [hap.H264Level.LEVEL3_1] },
        resolutions: [[1280, 720, 30], [320, 240, 15]],
      },
      audio: { codecs: [{ type: hap.AudioStreamingCodecType.AAC_ELD, samplerate: hap.AudioStreamingSamplerate.KHZ_16 }] },
    },
  }),
);

accessory.on("paired", () => say("paired", { ok: true }));
accessory.on("unpaired", () => say("unpaired", {}));
accessory.on("listening", (port, host) => {
  const ids = {};
  for (const [name, found] of Object.entries(names)) {
    ids[name] = `${accessory.aid}.${found.iid}`;
  }
  say("listening", {
    host,
    port,
    device_id: "1A:2B:3C:4D:5E:6F",
    setup_code: options["--setup-code"],
    setup_uri: accessory.setupURI(),
    ids,
  });
});

function obey(words) {
  if (words[0] === "set") {
    names[words[1]].updateValue(JSON.parse(words[2]));
  } else if (words[0] === "press") {
    names.button.sendEventNotification(Number(words[1]));
  } else {
    throw new Error(`no such command: ${words[0]}`);
  }
}

async function stop() {
  await accessory.unpublish();
  process.exit(0);
}

const commands = readline.createInterface({ input: process.stdin });
commands.on("close", stop);
commands.on("line", (line) => {
  const words = line.split(" ");
  if (words[0] === "quit") {
    commands.close();
    return;
  }
  try {
    obey(words);
    say("done", { command: words[0] });
  } catch (error) {
    say("failed", { command: words[0], error: String(error) });
  }
});

accessory.publish({
  username: "1A:2B:3C:4D:5E:6F",
  pincode: options["--setup-code"],
  category: Categories.LIGHTBULB,
  port: 0,
  bind: address,
});
