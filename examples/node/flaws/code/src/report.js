import { execSync } from "node:child_process";

/** Returns the size of a folder that the caller names. */
export function size(folder) {
  return execSync(`du -s ${folder}`).toString();
}
