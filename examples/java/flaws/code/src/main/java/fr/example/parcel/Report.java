package fr.example.parcel;

import java.io.IOException;

/** The size of a folder that the caller names. */
public final class Report {
  private Report() {}

  /** Returns the process that prints it. */
  public static Process size(String folder) throws IOException {
    return Runtime.getRuntime().exec(new String[] {"sh", "-c", "du -s " + folder});
  }
}
