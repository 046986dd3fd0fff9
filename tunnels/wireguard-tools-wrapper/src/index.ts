export { canonicalPrefix, formatEndpoint, parseEndpoint } from './address.ts';
export { type Config, ConfigError, parseConfig } from './config.ts';
export { formatConfig, formatDump, formatDumpAll } from './dump.ts';
export { KeyError, WireGuardError, type WireGuardErrorCode } from './errors.ts';
export { hasKernelWireGuard, type KernelOptions, KernelWireGuard } from './kernel.ts';
export {
  isLowOrder,
  KEY_LENGTH,
  PresharedKey,
  PrivateKey,
  type PublicKey,
  parsePublicKey,
  publicKeyBytes,
  publicKeyFromBytes,
} from './keys.ts';
export { createWireGuard, type Implementation, openWireGuard, type WireGuardOptions } from './open.ts';
export { syncChange } from './sync.ts';
export type { Device, DeviceChange, Endpoint, Peer, PeerChange, ShowOptions, WireGuard } from './types.ts';
export { SOCKET_DIRECTORY, type UserspaceOptions, UserspaceWireGuard } from './userspace.ts';
export {
  addconf,
  dump,
  dumpAll,
  genkey,
  genpsk,
  pubkey,
  setconf,
  showAll,
  showconf,
  syncconf,
} from './verbs.ts';
