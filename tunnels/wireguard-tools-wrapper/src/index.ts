export { KeyError, WireGuardError, type WireGuardErrorCode } from './errors.ts';
export { hasKernelWireGuard, KernelWireGuard } from './kernel.ts';
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
export type { Device, DeviceChange, Endpoint, Peer, PeerChange, WireGuard } from './types.ts';
export { SOCKET_DIRECTORY, type UserspaceOptions, UserspaceWireGuard } from './userspace.ts';
