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
export type { Device, DeviceChange, Endpoint, Peer, PeerChange, WireGuard } from './types.ts';
