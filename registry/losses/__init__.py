"""What training minimises: pixel losses and adversarial losses."""
