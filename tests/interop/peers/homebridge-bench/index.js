// A plugin for Homebridge with one light, which tells what is written and does what it is told on stdin: `set NAME JSON`.
"use strict";

const readline = require("readline");

module.exports = (api) => api.registerAccessory("homebridge-bench", "Bench", Bench);

class Bench {
  constructor(log, config, api) {
    const { Service, Characteristic } = api.hap;
    const say = global.benchSay;
    this.light = new Service.Lightbulb("Bench light");
    this.button = new Service.StatelessProgrammableSwitch("Bench button");
    this.names = {
      on: this.light.getCharacteristic(Characteristic.On),
      brightness: this.light.getCharacteristic(Characteristic.Brightness),
      button: this.button.getCharacteristic(Characteristic.ProgrammableSwitchEvent),
    };
    this.names.brightness.updateValue(40);
    for (const name of ["on", "brightness"]) {
      this.names[name].onSet((value) => say("written", { name, value }));
    }
    const commands = readline.createInterface({ input: process.stdin });
    commands.on("close", () => process.kill(process.pid, "SIGTERM"));
    commands.on("line", (line) => {
      const [command, name, value] = line.split(" ");
      try {
        if (command === "quit") {
          commands.close();
          return;
        } else if (command === "press") {
          this.names.button.sendEventNotification(Number(name));
        } else {
          this.names[name].updateValue(JSON.parse(value));
        }
        say("done", { command });
      } catch (error) {
        say("failed", { command, error: String(error) });
      }
    });
  }

  getServices() {
    return [this.light, this.button];
  }
}
