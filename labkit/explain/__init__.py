"""The lecture made visible: what notebooks draw of what their cells have measured, one file a topic."""
