package usine.lab.oidc;

import org.sonar.api.Plugin;

/** Replaces the community's OpenID Connect plugin, which is not in any package registry; see OidcProvider. */
public final class OidcPlugin implements Plugin {
  @Override
  public void define(Context context) {
    context.addExtension(OidcProvider.class);
  }
}
