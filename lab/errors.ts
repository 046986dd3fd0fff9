export type LabErrorCode =
  | 'LAB_EXISTS'
  | 'LAB_ABSENT'
  | 'LAB_NAME_INVALID'
  | 'LAB_NODE_UNKNOWN'
  | 'LAB_NODE_TAKEN'
  | 'LAB_MESH_TAKEN'
  | 'LAB_NODES_LEFT'
  | 'LAB_NOT_PERMITTED'
  | 'LAB_KUBECONFIG_INVALID'
  | 'LAB_PROGRAM_MISSING'
  | 'LAB_API_SILENT'
  | 'LAB_AGENT_SILENT'
  | 'LAB_CAPTURE_FAILED'
  | 'LAB_TRAFFIC_FAILED';

/** The lab cannot do what was asked; the message is one line and names the way out. */
export class LabError extends Error {
  readonly code: LabErrorCode;
  constructor(code: LabErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'LabError';
    this.code = code;
  }
}
