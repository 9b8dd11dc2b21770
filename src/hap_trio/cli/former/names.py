"""The names that the protocol gives to types ("public.hap.characteristic.brightness"), as far as that tool knows them.

It shows what stands after the third dot of a characteristic's name, and after the last dot of a service's. Newer types
have no such name: it calls them unknown.
"""

from __future__ import annotations

from typing import Final

from hapcore.model.uuid import short_uuid

__all__ = ["characteristic", "service"]


def _table(text: str) -> dict[str, str]:
    return dict(entry.split(":") for entry in text.split())


_CHARACTERISTICS: Final = _table(
    """
1:administrator-only-access  5:audio-feedback  8:brightness  D:temperature.cooling-threshold  E:door-state.current
F:heating-cooling.current  10:relative-humidity.current  11:temperature.current  12:temperature.heating-threshold
13:hue  14:identify  19:lock-management.control-point  1A:lock-management.auto-secure-timeout
1C:lock-mechanism.last-known-action  1D:lock-mechanism.current-state  1E:lock-mechanism.target-state  1F:logs
20:manufacturer  21:model  22:motion-detected  23:name  24:obstruction-detected  25:on  26:outlet-in-use
28:rotation.direction  29:rotation.speed  2F:saturation  30:serial-number  32:door-state.target
33:heating-cooling.target  34:relative-humidity.target  35:temperature.target  36:temperature.units  37:version
4C:pairing.pair-setup  4E:pairing.pair-verify  4F:pairing.features  50:pairing.pairings  52:firmware.revision
53:hardware.revision  64:air-particulate.density  65:air-particulate.size  66:security-system-state.current
67:security-system-state.target  68:battery-level  69:carbon-monoxide.detected  6A:contact-state
6B:light-level.current  6C:horizontal-tilt.current  6D:position.current  6E:vertical-tilt.current  6F:position.hold
70:leak-detected  71:occupancy-detected  72:position.state  73:input-event  75:status-active  76:smoke-detected
77:status-fault  78:status-jammed  79:status-lo-batt  7A:status-tampered  7B:horizontal-tilt.target
7C:position.target  7D:vertical-tilt.target  8E:security-system.alarm-type  8F:charging-state
90:carbon-monoxide.level  91:carbon-monoxide.peak-level  92:carbon-dioxide.detected  93:carbon-dioxide.level
94:carbon-dioxide.peak-level  95:air-quality  A5:service-signature  A6:accessory-properties
A7:lock-physical-controls  A8:air-purifier.state.target  A9:air-purifier.state.current  AA:slat.state.current
AB:filter.life-level  AC:filter.change-indication  AD:filter.reset-indication  AF:fan.state.current  B0:active
B1:heater-cooler.state.current  B3:humidifier-dehumidifier.state.current  B4:humidifier-dehumidifier.state.target
B5:water-level  B6:swing-mode  BF:fan.state.target  C0:type.slat  C1:tilt.current  C2:tilt.target  C3:density.ozone
C4:density.no2  C5:density.so2  C6:density.pm25  C7:density.pm10  C8:density.voc
C9:relative-humidity.dehumidifier-threshold  CA:relative-humidity.humidifier-threshold  CB:service-label-index
CD:service-label-namespace  CE:color-temperature  D1:program-mode  D2:in-use  D3:set-duration  D4:remaining-duration
D5:valve-type  D6:is-configured  E7:active-identifier  114:supported-video-stream-configuration
115:supported-audio-configuration  116:supported-rtp-configuration  117:selected-rtp-stream-configuration
118:setup-endpoints  119:volume  11A:mute  11B:night-vision  11C:zoom-optical  11D:zoom-digital  11E:image-rotation
11F:image-mirror  120:streaming-status  123:supported-target-configuration  124:target-list  126:button-event
128:selected-audio-stream-configuration  130:supported-data-stream-transport-configuration
131:setup-data-stream-transport  132:siri-input-type
"""
)
_SERVICES: Final = _table(
    """
3E:accessory-information  40:fan  41:garage-door-opener  43:lightbulb  44:lock-management  45:lock-mechanism
47:outlet  49:switch  4A:thermostat  55:pairing  7E:security-system  7F:sensor.carbon-monoxide  80:sensor.contact
81:door  82:sensor.humidity  83:sensor.leak  84:sensor.light  85:sensor.motion  86:sensor.occupancy  87:sensor.smoke
89:stateless-programmable-switch  8A:sensor.temperature  8B:window  8C:window-covering  8D:sensor.air-quality
96:battery  97:sensor.carbon-dioxide  A2:protocol.information.service  B7:fanv2  B9:vertical-slat
BA:filter-maintenance  BB:air-purifier  BC:heater-cooler  BD:humidifier-dehumidifier  CC:service-label
CF:irrigation-system  D0:valve  D7:faucet  110:camera-rtp-stream-management  112:microphone  113:speaker
121:doorbell  122:target-control-management  125:target-control  127:audio-stream-management
129:data-stream-transport-management  133:siri
"""
)


def characteristic(uuid: str) -> str:
    """The name of a characteristic's type, full UUID."""
    return _CHARACTERISTICS.get(short_uuid(uuid), f"Unknown Characteristic {uuid}")


def service(uuid: str) -> str:
    """The name of a service's type, full UUID."""
    return _SERVICES.get(short_uuid(uuid), f"Unknown Service: {uuid}").rpartition(".")[2]
