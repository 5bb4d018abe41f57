package usine.lab.oidc;

import org.sonar.api.Plugin;

/** Stands in for the community's OpenID Connect plugin, which no package registry has; see OidcProvider. */
public final class OidcPlugin implements Plugin {
  @Override
  public void define(Context context) {
    context.addExtension(OidcProvider.class);
  }
}
