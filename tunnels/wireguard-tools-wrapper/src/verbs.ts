/** The verbs of wg(8) that are no method of `WireGuard`: those that speak text, and those that need no device. */
import { type Config, parseConfig } from './config.ts';
import { formatConfig, formatDump, formatDumpAll } from './dump.ts';
import { WireGuardError } from './errors.ts';
import { PresharedKey, PrivateKey, type PublicKey } from './keys.ts';
import { syncChange } from './sync.ts';
import type { Device, DeviceChange, WireGuard } from './types.ts';

/** `wg show all`; a device that goes meanwhile is left out. */
export async function showAll(wireGuard: WireGuard): Promise<Device[]> {
  const devices: Device[] = [];
  for (const name of await wireGuard.interfaces()) {
    try {
      devices.push(await wireGuard.show(name));
    } catch (error) {
      if (!(error instanceof WireGuardError && error.code === 'NO_SUCH_DEVICE')) throw error;
    }
  }
  return devices;
}

/** `wg show DEVICE dump`, byte for byte. Reveals the private and preshared keys. */
export async function dump(wireGuard: WireGuard, device: string): Promise<string> {
  return formatDump(await wireGuard.show(device));
}

/** `wg show all dump`, byte for byte. Reveals the private and preshared keys. */
export async function dumpAll(wireGuard: WireGuard): Promise<string> {
  return formatDumpAll(await showAll(wireGuard));
}

/** `wg showconf DEVICE`, byte for byte. Reveals the private and preshared keys. */
export async function showconf(wireGuard: WireGuard, device: string): Promise<string> {
  return formatConfig(await wireGuard.show(device));
}

/**
 * `wg setconf DEVICE`: all peers are replaced, settings that `config` does not name are cleared.
 * @throws ConfigError for text that does not parse, before anything is written.
 */
export async function setconf(wireGuard: WireGuard, device: string, config: string | Config): Promise<void> {
  const cleared = { privateKey: null, listenPort: 0, fwmark: null };
  await wireGuard.set(device, { ...cleared, ...parsed(config), replacePeers: true });
}

/**
 * `wg addconf DEVICE`: what `config` names is set, the rest stays.
 * @throws ConfigError for text that does not parse, before anything is written.
 */
export async function addconf(wireGuard: WireGuard, device: string, config: string | Config): Promise<void> {
  await wireGuard.set(device, parsed(config));
}

/**
 * `wg syncconf DEVICE`: as `setconf`, but writes the difference only; see `syncChange`.
 * @returns what was written; undefined: nothing.
 * @throws ConfigError for text that does not parse, before anything is written.
 */
export async function syncconf(
  wireGuard: WireGuard,
  device: string,
  config: string | Config,
): Promise<DeviceChange | undefined> {
  const wanted = parsed(config);
  const change = syncChange(await wireGuard.show(device), wanted);
  if (change !== undefined) await wireGuard.set(device, change);
  return change;
}

export function genkey(): PrivateKey {
  return PrivateKey.generate();
}

export function genpsk(): PresharedKey {
  return PresharedKey.generate();
}

/** @throws KeyError for text that is no key. */
export function pubkey(privateKey: PrivateKey | string): PublicKey {
  return (typeof privateKey === 'string' ? PrivateKey.parse(privateKey) : privateKey).publicKey();
}

function parsed(config: string | Config): Config {
  return typeof config === 'string' ? parseConfig(config) : config;
}
